"""Asking about tokens (RFC 7662, RFC 9701) and giving them back (RFC 7009)."""

from datetime import timedelta

import pytest
from builders.clients import a_client, a_system, basic, machine_token, tokens_for, userinfo
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient, revoke_client
from identity.openid.tokens import revocation_cache
from identity.openid.tokens.revocation_cache import REVOKED
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

OFFLINE = "openid name offline_access"
SIGNED = "application/token-introspection+jwt"


@pytest.fixture
def modern(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", scopes=["openid", "name", "offline_access"])


@pytest.fixture
def other(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", name="Otra aplicación")


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        return a_system(service_binding={"agreement": "CON-1", "service": "SRV-1", "version": "1"})


def ask(
    browser: FlaskClient, made: NewClient, token: str, path: str = "/openid/introspect", **headers: str
) -> TestResponse:
    return browser.post(path, data={"token": token}, headers=basic(made.client.client_id, made.secret) | headers)


def revoke(browser: FlaskClient, made: NewClient, token: str) -> TestResponse:
    return ask(browser, made, token, "/openid/revoke")


@pytest.mark.parametrize("path", ["/openid/introspect", "/openid/revoke"])
def test_who_does_not_prove_who_it_is_gets_nothing(
    app: Flask, client: FlaskClient, person: Person, modern: NewClient, path: str
) -> None:
    token = tokens_for(client, modern, scope="openid")["access_token"]
    wrong: list[dict[str, str]] = [{}, basic("nobody", "x"), basic(modern.client.client_id, "wrong")]
    for headers in wrong:
        response = client.post(path, data={"token": token}, headers=headers)
        assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client")
    assert userinfo(client, token).status_code == 200


@pytest.mark.parametrize("path", ["/openid/introspect", "/openid/revoke"])
def test_a_request_without_one_token_is_malformed(client: FlaskClient, modern: NewClient, path: str) -> None:
    headers = basic(modern.client.client_id, modern.secret)
    for form in ({}, {"token": ""}, {"token": ["a", "b"]}, {"token": "x" * 9_000}):
        response = client.post(path, data=form, headers=headers)
        assert (response.status_code, response.get_json()["error"]) == (400, "invalid_request"), form
    assert client.get(path, headers=headers).status_code == 405
    assert client.post(path, query_string={"token": "x"}, headers=headers).status_code == 400


def test_a_public_client_cannot_try_out_tokens(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        public = a_client("standard", auth_method="none")
    response = client.post("/openid/introspect", data={"token": "x", "client_id": public.client.client_id})
    assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client")


STRANGE = ["x", "\x00", "ñ", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "x" * 3_000, "a" * 7_990 + "..b"]


def test_what_is_no_token_is_inactive_and_nothing_more(client: FlaskClient, modern: NewClient) -> None:
    for token in STRANGE:
        assert ask(client, modern, token).get_json() == {"active": False}, token
        assert revoke(client, modern, token).status_code == 200, token


def test_a_token_is_inactive_to_those_it_is_not_for(
    client: FlaskClient, person: Person, modern: NewClient, other: NewClient, system: NewClient
) -> None:
    given = tokens_for(client, modern, scope=OFFLINE)
    for token in (given["access_token"], given["refresh_token"], machine_token(client, system)):
        assert ask(client, other, token).get_json() == {"active": False}


def test_the_holder_learns_what_its_tokens_say(client: FlaskClient, person: Person, modern: NewClient) -> None:
    given = tokens_for(client, modern, scope=OFFLINE)
    response = ask(client, modern, given["access_token"])
    said = response.get_json()
    assert response.headers["Cache-Control"] == "no-store"
    assert said["active"] is True
    assert said["scope"].split() == sorted(OFFLINE.split())
    assert (said["client_id"], said["token_type"]) == (modern.client.client_id, "Bearer")
    assert said["sub"] == userinfo(client, given["access_token"]).get_json()["sub"]
    assert (said["exp"] - said["iat"], said["iss"]) == (3600, "http://localhost/openid")
    of_refresh = ask(client, modern, given["refresh_token"]).get_json()
    assert of_refresh["active"] is True
    assert "token_type" not in of_refresh


def test_a_token_that_ended_is_inactive(app: Flask, client: FlaskClient, person: Person, modern: NewClient) -> None:
    token = tokens_for(client, modern, scope="openid")["access_token"]
    with clock.shifted(timedelta(hours=1, seconds=1)):
        assert ask(client, modern, token).get_json() == {"active": False}


def test_a_systems_token_says_its_binding_and_ends(app: Flask, client: FlaskClient, system: NewClient) -> None:
    token = machine_token(client, system)
    said = ask(client, system, token).get_json()
    assert (said["agreement"], said["aud"]) == ("CON-1", "urn:cordillera:service:SRV-1:1")
    with clock.shifted(timedelta(minutes=11)):
        assert ask(client, system, token).get_json() == {"active": False}
    with app.app_context():
        other = a_system()
        revoke_client(system.client.client_id)
    assert ask(client, other, token).get_json() == {"active": False}


@pytest.mark.usefixtures("no_time_passes")
def test_one_read_for_a_stored_token_and_none_for_a_signed_one(
    app: Flask, client: FlaskClient, person: Person, modern: NewClient, system: NewClient
) -> None:
    stored, signed = tokens_for(client, modern, scope="openid")["access_token"], machine_token(client, system)
    ask(client, modern, stored)
    ask(client, system, signed)
    with counted() as statements:
        assert ask(client, modern, stored).get_json()["active"] is True
        assert len(statements) == 1
    with counted() as statements:
        assert ask(client, system, signed).get_json()["active"] is True
        assert statements == []


def test_who_asks_for_a_signed_answer_gets_it(
    app: Flask, client: FlaskClient, person: Person, modern: NewClient, other: NewClient
) -> None:
    token = tokens_for(client, modern, scope="openid")["access_token"]
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    for made, is_active in ((modern, True), (other, False)):
        response = ask(client, made, token, Accept=SIGNED)
        assert response.content_type == SIGNED
        found = jwt.decode(response.text, keys, algorithms=["RS256"])
        assert found.header["typ"] == "token-introspection+jwt"
        assert set(found.claims) == {"iss", "aud", "iat", "token_introspection"}
        assert found.claims["aud"] == made.client.client_id
        assert found.claims["token_introspection"]["active"] is is_active
    for accept in ("*/*", "application/json", f"application/json, {SIGNED};q=0.5"):
        assert ask(client, modern, token, Accept=accept).content_type == "application/json"


def test_a_signed_answer_is_no_access_token(client: FlaskClient, person: Person, modern: NewClient) -> None:
    token = tokens_for(client, modern, scope="openid")["access_token"]
    answer = ask(client, modern, token, Accept=SIGNED).text
    assert ask(client, modern, answer).get_json() == {"active": False}


def test_a_revoked_access_token_ends_alone(app: Flask, client: FlaskClient, person: Person, modern: NewClient) -> None:
    given = tokens_for(client, modern, scope=OFFLINE)
    response = revoke(client, modern, given["access_token"])
    assert (response.status_code, response.data) == (200, b"")
    assert userinfo(client, given["access_token"]).status_code == 401
    assert ask(client, modern, given["access_token"]).get_json() == {"active": False}
    assert ask(client, modern, given["refresh_token"]).get_json()["active"] is True
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:token:revoked")).one()
        assert (event.actor, event.detail) == (modern.client.client_id, {"kind": "access_token"})


def test_a_revoked_refresh_token_ends_all_that_came_of_the_sign_in(
    client: FlaskClient, person: Person, modern: NewClient
) -> None:
    given = tokens_for(client, modern, scope=OFFLINE)
    assert revoke(client, modern, given["refresh_token"]).status_code == 200
    assert userinfo(client, given["access_token"]).status_code == 401
    assert ask(client, modern, given["refresh_token"]).get_json() == {"active": False}
    assert revoke(client, modern, given["refresh_token"]).status_code == 200


def test_another_clients_token_is_left_alone_and_that_is_told(
    app: Flask, client: FlaskClient, person: Person, modern: NewClient, other: NewClient
) -> None:
    given = tokens_for(client, modern, scope=OFFLINE)
    for token in (given["access_token"], given["refresh_token"]):
        response = revoke(client, other, token)
        # RFC 7009 2.1
        assert (response.status_code, response.get_json()["error"]) == (400, "invalid_grant")
        assert ask(client, modern, token).get_json()["active"] is True


def test_a_systems_token_can_be_given_back(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        system = a_system()
    token, kept = machine_token(client, system), machine_token(client, system)
    assert revoke(client, system, token).status_code == 200
    assert ask(client, system, token).get_json() == {"active": False}
    assert ask(client, system, kept).get_json()["active"] is True
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/services", headers=headers).status_code == 401


def test_a_revocation_of_another_process_is_known_within_a_second(
    app: Flask, client: FlaskClient, system: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = machine_token(client, system)
    assert ask(client, system, token).get_json()["active"] is True
    monkeypatch.setattr("identity.openid.grants.token_actions.read_again", lambda: None)
    revoke(client, system, token)
    REVOKED.of(app).completed_at -= revocation_cache.COMPLETED_EVERY_SECONDS
    assert ask(client, system, token).get_json() == {"active": False}
