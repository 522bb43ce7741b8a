"""A developer's applications."""

from __future__ import annotations

import ast
import html
import re
import shlex
from urllib.parse import parse_qs, urlsplit

import pytest
from builders.clients import decide
from builders.identity import a_person, sign_in
from builders.sandbox import APPLICATION, a_developer, an_application
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.queries import client_with_secret, registered_client
from identity.clients.registry.rules import DEVICE_CODE, RegisteredClient
from kernel.base.parties import PartyKind
from kernel.database.db import session
from kernel.recording.audit import AuditEvent
from sandbox.applications.rules import MAX_APPLICATIONS, trial_address, with_choices, with_trial


def snippets(page: str) -> list[str]:
    return [html.unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.S)]


@pytest.mark.parametrize("profile", ["standard", "clave-unica"])
def test_credentials_come_at_once_and_work(client: FlaskClient, profile: str) -> None:
    a_developer(client)
    client_id, secret = an_application(client, profile=profile)
    with client.application.app_context():
        found = client_with_secret(client_id, secret)
        assert found is not None
        assert found.environment == "sandbox"
        assert found.profile == profile
        assert found.owner.kind is PartyKind.DEVELOPER
        assert found.redirect_uris[:2] == ("http://localhost:5000/callback", "https://tramites.example.cl/entrada")


def test_the_secret_is_shown_once(client: FlaskClient) -> None:
    a_developer(client)
    client_id, secret = an_application(client)
    again = client.get(f"/sandbox/applications/{client_id}")
    assert secret not in again.text
    assert "YOUR_CLIENT_SECRET" in again.text


@pytest.mark.parametrize("profile", ["standard", "clave-unica"])
def test_the_python_that_is_ready_to_paste_is_python(client: FlaskClient, profile: str) -> None:
    a_developer(client)
    an_application(client, profile=profile, redirect_uris="http://localhost:5000/it's")
    page = client.post("/sandbox/applications/new", data=APPLICATION | {"profile": profile})
    codes = [code for code in snippets(page.text) if "pip install" in code]
    assert len(codes) == (1 if profile == "standard" else 2)
    for code in codes:
        ast.parse(code)


def test_addresses_cannot_break_out_of_the_snippets(client: FlaskClient) -> None:
    a_developer(client)
    nasty = "http://localhost:5000/'\"$(id)`id`;x"
    page = client.post("/sandbox/applications/new", data=APPLICATION | {"redirect_uris": nasty})
    assert page.status_code == 201
    _, python, curl = snippets(page.text)
    called = next(
        node
        for node in ast.walk(ast.parse(python))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "authorize_redirect"
    )
    assert isinstance(called.args[0], ast.Constant)
    assert called.args[0].value == nasty
    exchange = curl[curl.index("curl ") : curl.index("# 4.")]
    assert f"redirect_uri={nasty}" in shlex.split(exchange)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x"),
        ("profile", "machine"),
        ("redirect_uris", ""),
        ("redirect_uris", "http://tramites.example.cl/"),
        ("redirect_uris", "javascript:alert(1)"),
        ("redirect_uris", "https://tramites.example.cl/#x"),
        ("redirect_uris", "http://localhost:5000/ok\nhttp://evil.example/"),
        ("post_logout_redirect_uris", "ftp://tramites.example.cl/"),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(client: FlaskClient, field: str, value: str) -> None:
    a_developer(client)
    page = client.post("/sandbox/applications/new", data=APPLICATION | {field: value})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert client.get("/sandbox/applications").text.count("/sandbox/applications/new") == 1


def test_anothers_application_does_not_exist(app: Flask, client: FlaskClient) -> None:
    a_developer(client)
    client_id, secret = an_application(client)
    other = app.test_client()
    a_developer(other, "ana@example.cl")
    place = f"/sandbox/applications/{client_id}"
    for path in ("", "/edit", "/delete", "/try"):
        assert other.get(place + path).status_code == 404
    for path in ("/edit", "/secret", "/delete"):
        assert other.post(place + path, data=APPLICATION).status_code == 404
    assert client_id not in other.get("/sandbox/applications").text
    with app.app_context():
        found = client_with_secret(client_id, secret)
        assert found is not None
        assert found.name == APPLICATION["name"]


def test_what_does_not_exist_is_told_in_the_same_words(client: FlaskClient) -> None:
    a_developer(client)
    assert client.get("/sandbox/applications/" + "0" * 32).status_code == 404
    assert client.get("/sandbox/applications/%00").status_code == 404


def test_nobody_gets_in_without_a_sign_in(client: FlaskClient) -> None:
    assert client.get("/sandbox/applications/new").status_code == 303
    assert client.post("/sandbox/applications/new", data=APPLICATION).status_code == 401


def test_a_renewed_secret_works_beside_the_old_one(client: FlaskClient) -> None:
    a_developer(client)
    client_id, old = an_application(client)
    page = client.post(f"/sandbox/applications/{client_id}/secret")
    new = snippets(page.text)[0]
    with client.application.app_context():
        assert client_with_secret(client_id, new)
        assert client_with_secret(client_id, old)


def test_addresses_change_and_the_sandboxs_own_stays(client: FlaskClient) -> None:
    a_developer(client)
    client_id, _ = an_application(client)
    form = client.get(f"/sandbox/applications/{client_id}/edit")
    assert "/sandbox/try" not in form.text
    changed = {"name": "Otro nombre", "redirect_uris": "http://127.0.0.1:9000/volver"}
    assert client.post(f"/sandbox/applications/{client_id}/edit", data=changed).status_code == 303
    with client.application.app_context():
        found = registered_client(client_id)
        assert found is not None
        assert found.name == "Otro nombre"
        assert found.redirect_uris == ("http://127.0.0.1:9000/volver", "http://localhost/sandbox/try")


def test_a_deleted_application_is_gone(client: FlaskClient) -> None:
    a_developer(client)
    client_id, secret = an_application(client)
    assert client.post(f"/sandbox/applications/{client_id}/delete").status_code == 303
    assert client.get(f"/sandbox/applications/{client_id}").status_code == 404
    assert client_id not in client.get("/sandbox/applications").text
    with client.application.app_context():
        assert client_with_secret(client_id, secret) is None


def test_there_is_a_limit(client: FlaskClient) -> None:
    a_developer(client)
    for _ in range(MAX_APPLICATIONS):
        an_application(client)
    assert client.post("/sandbox/applications/new", data=APPLICATION).status_code == 409


@pytest.mark.parametrize("profile", ["standard", "clave-unica"])
def test_a_trial_starts_a_sign_in_that_comes_back_to_the_sandbox(client: FlaskClient, profile: str) -> None:
    a_developer(client)
    client_id, _ = an_application(client, profile=profile)
    started = client.get(f"/sandbox/applications/{client_id}/try")
    address = urlsplit(started.location)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert address.path == "/openid/authorize"
    assert query["client_id"] == client_id
    assert query["redirect_uri"] == "http://localhost/sandbox/try"
    assert query["code_challenge_method"] == "S256"
    assert len(query["state"]) >= 30
    page = client.get("/sandbox/try", query_string={"code": "a-code", "state": query["state"]})
    assert page.status_code == 200
    assert "a-code" in page.text


def test_a_trial_shows_the_persons_data_to_the_end(app: Flask, client: FlaskClient) -> None:
    a_developer(client)
    client_id, _ = an_application(client)
    with app.app_context():
        person = a_person(is_test_person=True)
    asked = client.get(f"/sandbox/applications/{client_id}/try").location
    sign_in(client, person)
    back = decide(client, client.get(asked), "allow").location
    page = client.get(back)
    told = next(code for code in snippets(page.text) if '"sub"' in code)
    assert person.given_names[0] in told
    assert str(person.run_number) in told
    assert "code=" in page.text, "the code is still the developer's to exchange"


def test_an_answer_to_another_trial_is_not_shown(client: FlaskClient) -> None:
    a_developer(client)
    client_id, _ = an_application(client)
    client.get(f"/sandbox/applications/{client_id}/try")
    page = client.get("/sandbox/try", query_string={"code": "a-code", "state": "x"})
    assert page.status_code == 400
    assert "<code" not in page.text


def test_a_trial_that_ends_badly_shows_the_error(client: FlaskClient) -> None:
    a_developer(client)
    client_id, _ = an_application(client)
    query = parse_qs(urlsplit(client.get(f"/sandbox/applications/{client_id}/try").location).query)
    page = client.get("/sandbox/try", query_string={"error": "access_denied<b>", "state": query["state"][0]})
    assert page.status_code == 200
    assert "access_denied&lt;b&gt;" in page.text


def test_a_platform_on_plain_http_has_no_address_to_come_back_to() -> None:
    assert trial_address("http://10.0.0.1:8000") is None
    assert with_trial(["https://a.example/"], "http://10.0.0.1:8000") == ["https://a.example/"]
    assert with_trial([], "http://localhost") == []


# ---- devices without a browser (RFC 8628) ----

DEVICES = {"device_flow": "y"}


def now(client: FlaskClient, client_id: str) -> RegisteredClient:
    with client.application.app_context():
        found = registered_client(client_id)
    assert found is not None
    return found


def codes_for(client: FlaskClient, client_id: str, secret: str) -> int:
    asked = {"client_id": client_id, "client_secret": secret, "scope": "openid name"}
    return client.application.test_client().post("/openid/device_authorization", data=asked).status_code


def test_only_who_ticks_the_box_gets_codes_for_devices(client: FlaskClient) -> None:
    a_developer(client)
    without, with_box = an_application(client), an_application(client, **DEVICES)
    assert (codes_for(client, *without), codes_for(client, *with_box)) == (400, 200)
    assert DEVICE_CODE in now(client, with_box[0]).grant_types
    assert "device_authorization" not in client.get(f"/sandbox/applications/{without[0]}").text
    page = client.get(f"/sandbox/applications/{with_box[0]}").text
    assert "http://localhost/openid/device_authorization" in page
    program = next(code for code in snippets(page) if "user_code" in code)
    assert DEVICE_CODE in program
    assert "scope=openid" in program


def test_devices_are_ticked_and_unticked_later_and_the_audit_tells(client: FlaskClient) -> None:
    a_developer(client)
    client_id, secret = an_application(client)
    place = f"/sandbox/applications/{client_id}/edit"
    for box, ticked, answer in ((DEVICES, True, 200), ({}, False, 400)):
        assert client.post(place, data=APPLICATION | box).status_code == 303
        assert re.search(r'<input[^>]* id="device_flow"[^>]*>', client.get(place).text)
        assert bool(re.search(r'<input[^>]*checked[^>]* id="device_flow"', client.get(place).text)) is ticked
        assert codes_for(client, client_id, secret) == answer
    with client.application.app_context():
        query = select(AuditEvent.detail).where(AuditEvent.tag == "identity:client:updated").order_by(AuditEvent.at)
        told = [(data["before"]["options"], data["after"]["options"]) for data in session().scalars(query)]
    assert told == [({}, {"device_flow": True}), ({"device_flow": True}, {})]


def test_the_audit_tells_what_an_application_began_with(client: FlaskClient) -> None:
    a_developer(client)
    client_id, _secret = an_application(client, **DEVICES)
    with client.application.app_context():
        query = select(AuditEvent.detail).where(AuditEvent.tag == "identity:client:created")
        assert session().scalars(query.where(AuditEvent.subject == f"client:{client_id}")).one()["options"] == {
            "device_flow": True
        }


def test_the_profile_of_clave_unica_has_no_devices(client: FlaskClient) -> None:
    a_developer(client)
    page = client.post("/sandbox/applications/new", data=APPLICATION | DEVICES | {"profile": "clave-unica"})
    assert page.status_code == 422
    assert 'id="device_flow-error"' in page.text
    client_id, _secret = an_application(client, profile="clave-unica")
    place = f"/sandbox/applications/{client_id}/edit"
    assert "device_flow" not in client.get(place).text
    assert client.post(place, data=APPLICATION | DEVICES).status_code == 422
    assert now(client, client_id).options == {}


def test_a_change_of_the_box_leaves_other_options_alone() -> None:
    before = {"client_uri": "https://tramites.example.cl/", "device_flow": True}
    without = with_choices(before, {"device_flow": False, "id_token_signed_response_alg": None})
    assert without == {"client_uri": "https://tramites.example.cl/"}
    assert with_choices(without, {"device_flow": True}) == before


def test_an_application_of_the_browser_has_no_secret_and_is_told_how_to_do_without(client: FlaskClient) -> None:
    a_developer(client)
    data = APPLICATION | {"auth_method": "none", "redirect_uris": "https://app.example.cl/</script>"}
    page = client.post("/sandbox/applications/new", data=data)
    assert page.status_code == 201
    (client_id,) = set(re.findall(r"\b[0-9a-f]{32}\b", page.text))
    for shown in (page, client.get(f"/sandbox/applications/{client_id}")):
        assert "YOUR_CLIENT_SECRET" not in shown.text
        assert f"/sandbox/applications/{client_id}/secret" not in shown.text
        browser, curl = (code for code in snippets(shown.text) if client_id in code and "\n" in code)
        assert "oidc.UserManager" in browser
        assert "https://app.example.cl/\\u003c/script>" in browser
        assert f"-u {client_id}:" in curl
    found = now(client, client_id)
    assert (found.auth_method, found.secrets) == ("none", ())
    asked = {"Origin": "https://app.example.cl", "Access-Control-Request-Method": "POST"}
    assert client.options("/openid/token", headers=asked).headers["Access-Control-Allow-Origin"] == asked["Origin"]
    refused = client.post(
        "/sandbox/applications/new", data=APPLICATION | {"auth_method": "none", "profile": "clave-unica"}
    )
    assert refused.status_code == 422
    assert 'id="auth_method-error"' in refused.text
