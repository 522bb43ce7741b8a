"""Every answer by OIDC Core, RFC 6749 and RFC 9700: what is in it, what is not, and how it travels."""

import re
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import STATE, a_client, a_code, a_request, answer_of, authorize, basic, redeem, tokens_for
from builders.identity import PASSWORD, a_person
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.clients.registry.actions import NewClient
from identity.openid.rules import left_half_hash
from identity.people.models import Person
from kernel.base import clock

ISSUER = "http://localhost/openid"
OFFLINE = "openid name offline_access"


@pytest.fixture
def offline(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", scopes=OFFLINE.split())


def claims_of(client: FlaskClient, id_token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    return jwt.decode(id_token, keys, algorithms=["ES256"]).claims


def refreshed(client: FlaskClient, made: NewClient, token: str, **form: str) -> dict[str, Any]:
    answer = client.post(
        "/openid/token",
        data={"grant_type": "refresh_token", "refresh_token": token, **form},
        headers=basic(made.client.client_id, made.secret),
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_an_id_token_has_what_core_requires(client: FlaskClient, person: Person, made: NewClient) -> None:
    """OIDC Core 2, 3.1.3.6 and 3.1.3.7."""
    for max_age in (None, "3600"):
        answer = tokens_for(client, made, scope="openid", max_age=max_age, nonce="a nonce ñ")
        claims = claims_of(client, answer["id_token"])
        assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, made.client.client_id, "a nonce ñ")
        assert claims["iat"] < claims["exp"]
        assert claims["auth_time"] <= claims["iat"]
        assert claims["at_hash"] == left_half_hash(answer["access_token"])
        assert claims["sub"].isascii()
        assert len(claims["sub"]) <= 255
        # OIDC Core 2: only for another party than the audience.
        assert "azp" not in claims
    without = claims_of(client, tokens_for(client, made, scope="openid", nonce=None)["id_token"])
    assert "nonce" not in without


def test_a_refreshed_id_token_speaks_of_the_same_sign_in(
    client: FlaskClient, person: Person, offline: NewClient
) -> None:
    """OIDC Core 12.2."""
    first = tokens_for(client, offline, scope=OFFLINE)
    with clock.shifted(timedelta(hours=2)):
        second = refreshed(client, offline, first["refresh_token"])
        later = claims_of(client, second["id_token"])
    before = claims_of(client, first["id_token"])
    for same in ("iss", "sub", "aud", "auth_time", "acr", "amr", "sid"):
        assert later[same] == before[same], same
    assert later["iat"] > before["iat"]
    assert later["at_hash"] == left_half_hash(second["access_token"]) != before["at_hash"]
    # It should have no nonce, and never another one.
    assert later.get("nonce") in (None, before["nonce"])
    with clock.shifted(timedelta(hours=2)):
        assert "id_token" not in refreshed(client, offline, second["refresh_token"], scope="name")


def test_a_token_answer_is_kept_by_nobody(client: FlaskClient, person: Person, made: NewClient) -> None:
    """RFC 6749 5.1 and 5.2: with what is given, and with what is refused."""
    given = redeem(client, made, a_code(client, made))
    refused = redeem(client, made, "unheard-of")
    for answer in (given, refused):
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
    assert given.get_json()["expires_in"] == 3600


def test_an_error_is_told_in_letters_that_every_client_reads(client: FlaskClient, made: NewClient) -> None:
    """RFC 6749 5.2: printable ASCII without quotes and backslashes; a challenge for who used the header."""
    for form in ({"grant_type": 'ñ"\\\x00😀'}, {"grant_type": "authorization_code", "code": "ñ\u2028"}, {}):
        answer = client.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret))
        said = answer.get_json()
        assert set(said) <= {"error", "error_description", "error_uri"}
        assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", said["error_description"]), said
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = client.post("/openid/token", data=form, headers=basic(made.client.client_id, "wrong"))
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_the_state_comes_back_to_the_letter(client: FlaskClient, person: Person, made: NewClient) -> None:
    """RFC 6749 4.1.2: in what is given and in what is refused."""
    a_code(client, made)
    for state in (STATE, "a b+c%20d&e=f#g;h?i/", "~" * 6_000, "/" * 2_000, "'\"<script>"):
        assert answer_of(authorize(client, made, state=state))["state"] == state
        refused = answer_of(authorize(client, made, state=state, prompt="none login"))
        assert (refused["error"], refused["state"]) == ("invalid_request", state)


def test_no_page_is_shown_in_a_frame_or_names_where_it_was_linked_from(
    app: Flask, client: FlaskClient, made: NewClient
) -> None:
    """RFC 9700 4.2.4 and 4.16: whoever frames a page has people press its buttons; a referrer tells codes."""
    with app.app_context():
        person = a_person(is_test_person=True)
    pages = [authorize(client, made), client.get("/sign-in"), client.get("/device", follow_redirects=True)]
    client.post("/sign-in", data={"run": str(person.run), "password": PASSWORD})
    pages += [authorize(client, made), client.get("/device"), client.get("/openid/end-session")]
    pages += [authorize(client, made, prompt="select_account"), authorize(client, made, redirect_uri="http://x/")]
    for page in pages:
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert page.headers["Cache-Control"] == "no-store"


def test_no_form_is_sent_on_by_a_redirect(client: FlaskClient, person: Person, made: NewClient) -> None:
    """RFC 9700 4.12: 307 would send the form, with the password in it, to the client."""
    sent = [
        client.post("/sign-in", data={"run": str(person.run), "password": PASSWORD}),
        client.post("/openid/authorize", data=a_request(made, prompt="none")),
        client.post("/openid/end-session/confirm"),
    ]
    for answer in sent:
        assert answer.status_code == 303


def test_neither_codes_nor_tokens_nor_secrets_are_in_the_log(
    client: FlaskClient, person: Person, offline: NewClient, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """RFC 9700 4.3.1 and 4.3.2."""
    code = a_code(client, offline, scope=OFFLINE)
    given = redeem(client, offline, code).get_json()
    client.get("/openid/userinfo", headers={"Authorization": f"Bearer {given['access_token']}"})
    refreshed(client, offline, given["refresh_token"])
    redeem(client, offline, code)
    client.get("/openid/end-session", query_string={"id_token_hint": given["id_token"]})
    written = "".join(capsys.readouterr()) + caplog.text
    assert "/openid/token" in written
    for secret in (code, given["access_token"], given["refresh_token"], given["id_token"], offline.secret or ""):
        assert secret not in written
