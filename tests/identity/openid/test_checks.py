"""The authorization request, wrong in every way: what is told by a redirect, and what never is."""

from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules
from urllib.parse import urlencode

import pytest
from builders.clients import (
    CALLBACK,
    STATE,
    a_client,
    a_code,
    a_request,
    a_system,
    answer_of,
    asks_to_sign_in,
    authorize,
    decide,
    following,
    s256,
)
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient, revoke_client
from identity.openid.authorization import checks
from identity.openid.grants.request_problems import InvalidRequestUri
from identity.openid.rules import UnknownClient, UnregisteredRedirect
from identity.people.models import Person
from kernel.base import clock
from kernel.jobs.access import Principal, act_as

ISSUER = "http://localhost/openid"


BAD_CLIENTS_AND_ADDRESSES: list[dict[str, str | None]] = [
    {"client_id": None},
    {"client_id": ""},
    {"client_id": "nobody"},
    {"client_id": "\x00"},
    {"client_id": "x" * 5000},
    {"redirect_uri": None},
    {"redirect_uri": ""},
    {"redirect_uri": "https://elsewhere.example/"},
    {"redirect_uri": CALLBACK + "/"},
    {"redirect_uri": CALLBACK + "?a=b"},
    {"redirect_uri": CALLBACK + "#"},
    {"redirect_uri": CALLBACK.upper()},
    {"redirect_uri": CALLBACK.replace("127.0.0.1", "localhost")},
    {"redirect_uri": CALLBACK.replace(":9", ":10")},
    {"redirect_uri": CALLBACK + "\x00"},
    {"redirect_uri": "http://127.0.0.1:9\\@elsewhere.example/callback"},
    {"redirect_uri": "javascript:alert(1)"},
]


def test_a_bad_client_or_address_is_never_redirected(client: FlaskClient, legacy: NewClient) -> None:
    for change in BAD_CLIENTS_AND_ADDRESSES:
        response = authorize(client, legacy, **change)
        assert (response.status_code, response.headers.get("Location")) == (400, None), change
        assert response.content_type.startswith("text/html")


def test_two_clients_or_two_addresses_are_never_redirected(client: FlaskClient, legacy: NewClient) -> None:
    parameters = a_request(legacy)
    for twice in ("client_id", "redirect_uri"):
        response = client.get("/openid/authorize?" + urlencode([*parameters.items(), (twice, parameters[twice])]))
        assert (response.status_code, response.headers.get("Location")) == (400, None), twice


def test_another_clients_address_is_refused(app: Flask, client: FlaskClient, legacy: NewClient) -> None:
    with app.app_context():
        other = a_client(redirect_uris=["https://other.example.cl/"])
    response = authorize(client, legacy, redirect_uri=other.client.redirect_uris[0])
    assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_a_revoked_client_is_unknown(app: Flask, client: FlaskClient, legacy: NewClient) -> None:
    with app.app_context():
        revoke_client(legacy.client.client_id)
    assert authorize(client, legacy).status_code == 400


def test_a_system_is_no_application(app: Flask, client: FlaskClient, legacy: NewClient) -> None:

    with app.app_context():
        system = a_system()
    assert authorize(client, legacy, client_id=system.client.client_id).status_code == 400


FAULTS: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "run name"}, "invalid_scope"),
    ({"scope": "openid profile"}, "invalid_scope"),
    ({"nonce": "n" * 501}, "invalid_request"),
    ({"nonce": "\x00"}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "sometimes"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"),
    ({"request_uri": "https://elsewhere.example/"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"code_challenge": s256(), "code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": s256()}, "invalid_request"),
    ({"code_challenge_method": "S256"}, "invalid_request"),
]


def test_a_scope_that_nobody_understands_is_ignored(client: FlaskClient, legacy: NewClient) -> None:
    for scope in ("openid everything", "openid openid2 run", "openid \x00"):
        assert asks_to_sign_in(authorize(client, legacy, scope=scope)), scope


def test_other_faults_are_told_with_state_and_issuer(client: FlaskClient, legacy: NewClient) -> None:
    for change, error in FAULTS:
        response = authorize(client, legacy, **change)
        assert response.headers["Location"].startswith(CALLBACK + "?"), change
        answer = answer_of(response)
        assert (answer["error"], answer["state"], answer["iss"]) == (error, STATE, ISSUER), change
        assert "code" not in answer
        assert answer["error_description"].isascii()


WRONG_CHALLENGES: list[dict[str, str | None]] = [
    {"code_challenge": None, "code_challenge_method": None},
    {"code_challenge": "short"},
    {"code_challenge": "a" * 44},
    {"code_challenge": "+" * 43},
    {"code_challenge_method": "plain"},
    {"code_challenge_method": "s256"},
    {"code_challenge_method": None},
]


def test_standard_requires_pkce_by_s256(client: FlaskClient, made: NewClient) -> None:
    for change in WRONG_CHALLENGES:
        assert answer_of(authorize(client, made, **change))["error"] == "invalid_request", change


def test_clave_unica_requires_a_sound_state(client: FlaskClient, legacy: NewClient) -> None:
    for state in (None, "", "\x00", "ñ" * 30, "x" * 6_001, "/" * 2_001):
        answer = answer_of(authorize(client, legacy, state=state))
        assert answer["error"] == "invalid_request", state
        assert "state" not in answer


def test_standard_does_without_a_state(client: FlaskClient, person: Person, made: NewClient) -> None:
    page = authorize(client, made, state=None)
    assert set(answer_of(decide(client, page, "allow"))) == {"code", "iss"}


def test_no_parameter_comes_twice(client: FlaskClient, legacy: NewClient) -> None:
    parameters = {**a_request(legacy), "nonce": "n", "prompt": "consent", "anything": "x"}
    for twice in ("response_type", "scope", "state", "nonce", "prompt", "anything"):
        response = client.get("/openid/authorize?" + urlencode([*parameters.items(), (twice, parameters[twice])]))
        assert answer_of(response)["error"] == "invalid_request", twice


def test_the_clients_own_query_stays(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client(redirect_uris=["http://localhost:5000/back?tenant=%C3%B1&empty="])
    location = decide(client, authorize(client, made), "allow").headers["Location"]
    assert location.startswith("http://localhost:5000/back?tenant=%C3%B1&empty=&code=")


def test_a_request_by_post_is_the_same(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    page = client.post("/openid/authorize", data=a_request(legacy))
    assert "code" in answer_of(decide(client, page, "allow"))
    assert "code" in answer_of(client.post("/openid/authorize/", data=a_request(legacy)))


def test_prompt_none_never_shows_a_page(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    assert answer_of(authorize(client, legacy, prompt="none"))["error"] == "consent_required"
    a_code(client, legacy)
    assert "code" in answer_of(authorize(client, legacy, prompt="none"))


@pytest.mark.parametrize("change", [{"prompt": "login"}, {"prompt": "login select_account"}, {"max_age": "0"}])
def test_a_new_sign_in_is_asked_for_and_then_counts(
    client: FlaskClient, person: Person, legacy: NewClient, change: dict[str, str | None]
) -> None:
    a_code(client, legacy)
    with clock.shifted(timedelta(seconds=5)):
        away = authorize(client, legacy, **change)
        assert asks_to_sign_in(away)
        assert away.status_code == 200
        back = following(away)
        assert asks_to_sign_in(client.get(back))
    with clock.shifted(timedelta(seconds=7)):
        sign_in(client, person)
        assert "code" in answer_of(client.get(back))


def test_max_age_accepts_a_young_sign_in(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    a_code(client, legacy)
    assert "code" in answer_of(authorize(client, legacy, max_age="60"))
    with clock.shifted(timedelta(seconds=62)):
        assert answer_of(authorize(client, legacy, max_age="60", prompt="none"))["error"] == "login_required"


def test_real_people_do_not_enter_applications_under_test(app: Flask, client: FlaskClient, legacy: NewClient) -> None:
    with app.app_context():
        real = a_person()
    sign_in(client, real)
    response = authorize(client, legacy)
    assert (response.status_code, response.headers.get("Location")) == (403, None)


def test_test_persons_do_not_enter_applications_in_use(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        act_as(Principal(kind="system", id="test"))
        made = a_client(
            redirect_uris=["https://tramites.example.cl/"], post_logout_redirect_uris=[], environment="production"
        )
    assert authorize(client, made).status_code == 403


def test_no_other_site_consents(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    query = urlencode(a_request(legacy))
    elsewhere = {"Sec-Fetch-Site": "same-site"}
    response = client.post(f"/openid/consent?{query}", data={"decision": "allow"}, headers=elsewhere)
    assert (response.status_code, response.headers.get("Location")) == (403, None)


def test_consent_checks_the_request_again(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    query = urlencode({**a_request(legacy), "redirect_uri": "https://elsewhere.example/"})
    response = client.post(f"/openid/consent?{query}", data={"decision": "allow"})
    assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_who_has_left_meanwhile_signs_in_again(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    page = authorize(client, legacy)
    client.post("/sign-out")
    assert asks_to_sign_in(decide(client, page, "allow"))


def test_a_native_application_gets_any_port_of_its_own_machine(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        native = a_client(
            "standard", redirect_uris=["http://127.0.0.1:9/callback", "http://[::1]/back?a=b"], auth_method="none"
        )
        named = a_client("standard", redirect_uris=["http://localhost:9/callback"], auth_method="none")
        secret = a_client("standard")
    for address in ("http://127.0.0.1:51004/callback", "http://[::1]:8/back?a=b"):
        page = authorize(client, native, redirect_uri=address, prompt="consent")
        assert decide(client, page, "allow").headers["Location"].startswith(address)
    wrong = [
        (native, "http://127.0.0.1:51004/other"),
        (native, "http://127.0.0.1:51004/callback?a=b"),
        (native, "http://127.0.0.1:51004/callback#"),
        (native, "http://127.0.0.1:/callback"),
        (native, "http://127.0.0.1:99999/callback"),
        (native, "http://x@127.0.0.1:8/callback"),
        (native, "http://127.0.0.1:8@elsewhere.example/callback"),
        (native, "https://127.0.0.1:8/callback"),
        (native, "http://127.0.0.2:8/callback"),
        (native, "http://localhost:8/callback"),
        (named, "http://localhost:8/callback"),
        (secret, "http://127.0.0.1:8/callback"),
    ]
    for made, address in wrong:
        response = authorize(client, made, redirect_uri=address)
        assert (response.status_code, response.headers.get("Location")) == (400, None), address


def test_every_check_stands_in_the_table() -> None:
    written = {
        name
        for module in iter_modules(checks.__path__)
        for name, found in vars(import_module(f"{checks.__name__}.{module.name}")).items()
        if name.startswith("check_") and found.__module__.startswith(checks.__name__)
    }
    assert written == {row[0].__name__ for row in checks.TABLE}
    assert all(any(row[1:]) for row in checks.TABLE)


def test_who_asks_and_where_to_answer_is_known_before_anything_is_told() -> None:
    assert [check.__name__ for check in checks.IDENTIFYING][-1] == "check_redirect_uri"
    assert not any(problem.is_redirectable for problem in (UnknownClient, UnregisteredRedirect, InvalidRequestUri))
