"""The pages of an agency's administrator, and what a person sees of the applications that know them."""

import json
import re

import pytest
from builders.clients import a_client, a_system, machine_token, tokens_for, userinfo
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from builders.keys import a_key, public
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.models import Client
from identity.clients.registry.queries import registered_client
from kernel.database.db import session
from kernel.jobs.access import MACHINE_SCOPES
from kernel.recording.audit import AuditEvent

ADDRESSES = "http://localhost:5000/back\nhttps://tramites.example.cl/entrada"
APPLICATION = {
    "name": "Trámites de Ñuble",
    "profile": "standard",
    "environment": "sandbox",
    "redirect_uris": ADDRESSES,
    "post_logout_redirect_uris": "",
}


@pytest.fixture
def administrator(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser in which an administrator acts for AE001."""
    MACHINE_SCOPES.fill(app, {"communications.send": "Send official communications"})
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
        an_agency("AE002", "Otro Servicio")
        official = an_official("AE001", "administrator")
    sign_in_for(client, official, "AE001")
    return client


def shown(page: str) -> list[str]:
    """The blocks to copy: the identifier, then the secret."""
    return re.findall(r"<code>([^<]+)</code>", page)


def test_a_system_gets_a_secret_that_works_and_is_shown_once(administrator: FlaskClient) -> None:
    assert "Send official communications" in administrator.get("/agency/systems/new").text
    page = administrator.post("/agency/systems/new", data={"name": "Mensajería", "scopes": "communications.send"})
    assert page.status_code == 201
    client_id, secret = shown(page.text)[:2]
    token = administrator.post(
        "/openid/token", data={"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    )
    assert token.get_json()["scope"] == "communications.send"
    for path in ("/agency/systems", f"/agency/systems/{client_id}"):
        text = administrator.get(path).text
        assert "Mensajería" in text
        assert secret not in text


def test_a_system_form_that_is_wrong_comes_back_with_what_was_typed(app: Flask, administrator: FlaskClient) -> None:
    for wrong in (
        {"name": "Mensajería"},
        {"name": "Mensajería", "scopes": "everything"},
        {"name": "", "scopes": "communications.send"},
        {"name": "ab", "scopes": "communications.send"},
    ):
        page = administrator.post("/agency/systems/new", data=wrong)
        assert page.status_code == 422, wrong
        assert f'value="{wrong["name"]}"' in page.text
    with app.app_context():
        assert not session().scalars(select(Client)).all()


def test_a_system_proves_itself_by_key_or_certificate(app: Flask, administrator: FlaskClient) -> None:
    usual = {"name": "Mensajería", "scopes": "communications.send"}
    jwks = json.dumps(public(a_key()))
    page = administrator.post("/agency/systems/new", data=usual | {"auth_method": "private_key_jwt", "jwks": jwks})
    assert page.status_code == 201
    assert "client_secret)" not in page.text
    client_id = shown(page.text)[0]
    path = f"/agency/systems/{client_id}"
    assert "private_key_jwt" in administrator.get(path).text
    certificate = {
        "name": "Mensajería nueva",
        "auth_method": "tls_client_auth",
        "certificate_name": "tls_client_auth_san_dns",
        "certificate_value": "sistema.example.cl",
    }
    assert administrator.post(f"{path}/edit", data=certificate).status_code == 303
    with app.app_context():
        found = registered_client(client_id)
        assert found is not None
        assert (found.name, found.jwks, found.options) == (
            "Mensajería nueva",
            None,
            {"tls_client_auth_san_dns": "sistema.example.cl"},
        )
        assert found.scopes == {"communications.send"}
    assert "sistema.example.cl" in administrator.get(f"{path}/edit").text
    for wrong, place in (
        ({"certificate_value": ""}, "certificate_value"),
        ({"certificate_value": "no es un nombre"}, "certificate_value"),
        ({"certificate_name": "tls_client_auth_san_ip"}, "certificate_value"),
        ({"auth_method": "private_key_jwt"}, "jwks"),
        ({"auth_method": "private_key_jwt", "jwks_uri": "https://10.0.0.1/"}, "jwks_uri"),
        ({"auth_method": "none"}, "auth_method"),
        ({"name": ""}, "name"),
    ):
        answer = administrator.post(f"{path}/edit", data=certificate | wrong)
        assert answer.status_code == 422, wrong
        assert f'id="{place}-error"' in answer.text, wrong
    assert shown(administrator.post(f"{path}/edit", data={"name": "Mensajería", "auth_method": ""}).text) == []
    secret = administrator.post(f"{path}/edit", data={"name": "Mensajería", "auth_method": "client_secret_basic"})
    assert len(shown(secret.text)[1]) == 43


def test_a_secret_is_withdrawn_but_never_the_last(app: Flask, administrator: FlaskClient) -> None:
    page = administrator.post("/agency/systems/new", data={"name": "Mensajería", "scopes": "communications.send"})
    client_id = shown(page.text)[0]
    administrator.post(f"/agency/systems/{client_id}/secret")
    actions = re.findall(r'action="([^"]+/withdraw)"', administrator.get(f"/agency/systems/{client_id}").text)
    assert len(actions) == 2
    with app.app_context():
        other = an_official("AE002", "administrator")
    stranger = app.test_client()
    sign_in_for(stranger, other, "AE002")
    assert stranger.post(actions[0]).status_code == 404
    assert administrator.post(actions[1]).status_code == 303
    assert administrator.post(actions[0]).status_code == 409
    assert "/withdraw" not in administrator.get(f"/agency/systems/{client_id}").text


def test_an_application_is_not_a_system(app: Flask, administrator: FlaskClient) -> None:
    """A form for one, sent to the other, must not make one of the other."""
    with app.app_context():
        application, system = a_client(owner="agency:AE001"), a_system("AE001")
    for kind, made in (("systems", application), ("applications", system)):
        path = f"/agency/{kind}/{made.client.client_id}"
        assert administrator.get(path).status_code == 404
        assert administrator.get(f"{path}/edit").status_code == 404
        assert administrator.post(f"{path}/edit", data=APPLICATION).status_code == 404


def test_an_application_is_made_changed_rotated_and_revoked(app: Flask, administrator: FlaskClient) -> None:
    page = administrator.post("/agency/applications/new", data=APPLICATION)
    assert page.status_code == 201
    client_id, secret = shown(page.text)[:2]
    path = f"/agency/applications/{client_id}"
    changed = {"name": "Trámites", "redirect_uris": "https://tramites.example.cl/otra", "post_logout_redirect_uris": ""}
    assert administrator.post(f"{path}/edit", data=changed).status_code == 303
    renewed = shown(administrator.post(f"{path}/secret").text)[1]
    assert renewed != secret
    with app.app_context():
        found = registered_client(client_id)
        assert found is not None
        assert (found.name, found.redirect_uris, str(found.owner)) == (
            "Trámites",
            ("https://tramites.example.cl/otra",),
            "agency:AE001",
        )
    assert administrator.get(f"{path}/revoke").status_code == 200
    assert administrator.post(f"{path}/revoke").status_code == 303
    assert administrator.get(path).status_code == 200
    assert administrator.post(f"{path}/secret").status_code == 409
    assert administrator.post(f"{path}/edit", data=changed).status_code == 422
    with app.app_context():
        tags = session().scalars(select(AuditEvent.tag).where(AuditEvent.subject == f"client:{client_id}"))
        assert sorted(tags) == [
            "identity:client:created",
            "identity:client:revoked",
            "identity:client:secret-rotated",
            "identity:client:updated",
        ]


def test_wrong_addresses_are_told_at_their_field(administrator: FlaskClient) -> None:
    for wrong in ("http://tramites.example.cl/", "https://a.example.cl/#x", "no es una dirección"):
        page = administrator.post("/agency/applications/new", data=APPLICATION | {"redirect_uris": wrong})
        assert page.status_code == 422
        assert 'id="redirect_uris-error"' in page.text
        assert wrong in page.text


def test_another_agencys_client_is_not_there(app: Flask, administrator: FlaskClient) -> None:
    with app.app_context():
        other = a_client(owner="agency:AE002")
        system = a_system("AE002")
    for kind, made in (("applications", other), ("systems", system)):
        path = f"/agency/{kind}/{made.client.client_id}"
        assert administrator.get(path).status_code == 404
        assert administrator.get(f"{path}/revoke").status_code == 404
        assert administrator.post(f"{path}/secret").status_code == 404
        assert administrator.post(f"{path}/revoke").status_code == 404
    edit = f"/agency/applications/{other.client.client_id}/edit"
    assert administrator.get(edit).status_code == 404
    assert administrator.post(edit, data=APPLICATION).status_code == 404
    assert machine_token(administrator, system)
    assert administrator.get("/agency/systems/nothing").status_code == 404


def test_only_administrators_may(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        an_agency("AE001")
        publisher = an_official("AE001", "publisher")
    assert client.get("/agency/systems").status_code == 303
    sign_in_for(client, publisher, "AE001")
    for path in ("/agency/systems", "/agency/applications", "/agency/systems/new"):
        assert client.get(path).status_code == 403
    assert client.post("/agency/systems/new", data={"name": "Mensajería"}).status_code == 403


def test_a_person_sees_and_ends_what_applications_know(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("clave-unica", name="Trámites de Ñuble")
    sign_in(client, person)
    assert client.get("/account/applications").status_code == 200
    token = tokens_for(client, made)["access_token"]
    page = client.get("/account/applications", headers={"Accept-Language": "es"}).text
    assert "Trámites de Ñuble" in page
    assert "su RUN" in page
    assert "lo conoc" not in page, "people are women too"
    button = page.split(f"/account/applications/{made.client.client_id}/withdraw")[1].split("</form>")[0]
    assert "btn-quiet" in button
    assert "Dejar de compartir" in button
    assert "con Trámites de Ñuble" in button, "a screen reader tells one button from the next"
    assert client.post(f"/account/applications/{made.client.client_id}/withdraw").status_code == 303
    assert userinfo(client, token).status_code == 401
    assert "Trámites de Ñuble" not in client.get("/account/applications").text
    assert client.post("/account/applications/nothing/withdraw").status_code == 303
