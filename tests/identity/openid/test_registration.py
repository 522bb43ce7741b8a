"""Dynamic registration and management by the letter of RFC 7591 and RFC 7592: the wrong cases first."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import CALLBACK, basic
from builders.identity import a_person, an_agency
from builders.keys import a_key, an_assertion, public
from builders.publishing import let_call, publishing
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from werkzeug.test import TestResponse

from identity.clients.client_reviews.actions import approve
from identity.clients.client_reviews.models import ClientReview
from identity.clients.client_reviews.queries import get_pending
from identity.clients.dynamic_registration.actions import create_initial_token, revoke_initial_token
from identity.clients.dynamic_registration.models import InitialAccessToken
from identity.clients.registry.actions import revoke_client
from identity.clients.registry.models import Client
from identity.clients.registry.queries import registered_client
from identity.openid.authorization.actions import sweep_unused, sweep_unused_batch
from identity.openid.models import ApplicationConsent
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.base.parties import Party
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, session
from kernel.jobs.access import Principal, act_as
from kernel.recording.audit import AuditEvent
from portal.app import create_app

HTTPS = "https://tramites.example.cl/entrada"
SOUND: dict[str, Any] = {"redirect_uris": [CALLBACK], "client_name": "Trámites"}


def register(browser: FlaskClient, metadata: object, token: str | None = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return browser.post("/openid/register", json=metadata, headers=headers)


def manage(browser: FlaskClient, method: str, made: dict[str, Any], **others: Any) -> TestResponse:
    token = others.pop("token", made["registration_access_token"])
    path = made["registration_client_uri"].removeprefix("http://localhost")
    return browser.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **others)


def made_by(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.get_json()
    return found


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"redirect_uris": None}, "invalid_redirect_uri"),
    ({"redirect_uris": []}, "invalid_redirect_uri"),
    ({"redirect_uris": CALLBACK}, "invalid_redirect_uri"),
    ({"redirect_uris": [7]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://tramites.example.cl/"]}, "invalid_redirect_uri"),
    ({"redirect_uris": [f"{HTTPS}#x"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://*.example.cl/"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://["]}, "invalid_redirect_uri"),
    ({"redirect_uris": [f"https://a.example.cl/{n}" for n in range(21)]}, "invalid_redirect_uri"),
    ({"client_name": 7}, "invalid_client_metadata"),
    ({"client_name": "ab"}, "invalid_client_metadata"),
    ({"client_name": "x" * 101}, "invalid_client_metadata"),
    ({"client_name": "a\x00bc"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "password"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "client_secret"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
    ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
    ({"grant_types": ["authorization_code", "password"]}, "invalid_client_metadata"),
    ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
    ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
    ({"response_types": ["token"]}, "invalid_client_metadata"),
    ({"response_types": ["code", "id_token"]}, "invalid_client_metadata"),
    ({"application_type": "desktop"}, "invalid_client_metadata"),
    ({"subject_type": "public"}, "invalid_client_metadata"),
    ({"sector_identifier_uri": 7}, "invalid_client_metadata"),
    ({"sector_identifier_uri": "http://example.cl/sector.json"}, "invalid_client_metadata"),
    ({"sector_identifier_uri": "https://127.0.0.1:9/sector.json"}, "invalid_client_metadata"),
    ({"sector_identifier_uri": "https://10.0.0.1/sector.json"}, "invalid_client_metadata"),
    ({"scope": "openid everything"}, "invalid_client_metadata"),
    ({"scope": ["openid"]}, "invalid_client_metadata"),
    ({"contacts": ["nobody"]}, "invalid_client_metadata"),
    ({"contacts": "ana@example.cl"}, "invalid_client_metadata"),
    ({"logo_uri": "http://example.cl/logo.png"}, "invalid_client_metadata"),
    ({"logo_uri": "data:image/png;base64,AAAA"}, "invalid_client_metadata"),
    ({"policy_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    ({"tos_uri": 7}, "invalid_client_metadata"),
    ({"backchannel_logout_uri": f"{HTTPS}#x"}, "invalid_client_metadata"),
    ({"jwks": {"keys": []}}, "invalid_client_metadata"),
    ({"jwks": {"keys": [a_key().as_dict(private=True)]}}, "invalid_client_metadata"),
    ({"jwks_uri": "https://127.0.0.1/jwks"}, "invalid_client_metadata"),
    ({"jwks_uri": "http://example.cl/jwks"}, "invalid_client_metadata"),
    ({"jwks": public(a_key()), "jwks_uri": "https://example.cl/jwks"}, "invalid_client_metadata"),
    ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
    ({"id_token_signed_response_alg": "HS256"}, "invalid_client_metadata"),
    ({"userinfo_encrypted_response_enc": "A128GCM"}, "invalid_client_metadata"),
    ({"id_token_encrypted_response_alg": "RSA1_5"}, "invalid_client_metadata"),
    ({"request_object_signing_alg": "none"}, "invalid_client_metadata"),
    ({"dpop_bound_access_tokens": "yes"}, "invalid_client_metadata"),
    ({"default_max_age": -1}, "invalid_client_metadata"),
    ({"default_max_age": True}, "invalid_client_metadata"),
    ({"default_acr_values": "one"}, "invalid_client_metadata"),
    ({"profile": "machine"}, "invalid_client_metadata"),
    ({"profile": "fapi2"}, "invalid_client_metadata"),
    ({"profile": "fapi2", "token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
    ({"profile": "clave-unica", "scope": "openid offline_access"}, "invalid_client_metadata"),
    ({"scope_reasons": ["why"]}, "invalid_client_metadata"),
    ({"software_statement": "e30.e30."}, "unapproved_software_statement"),
]


def test_metadata_that_is_refused(app: Flask, client: FlaskClient) -> None:
    for change, error in FAULTS:
        response = register(client, SOUND | change)
        assert (response.status_code, response.get_json()["error"]) == (400, error), change
        assert response.headers["Cache-Control"] == "no-store"
    with app.app_context():
        assert not session().scalars(select(Client)).all()


def test_bodies_that_are_refused(client: FlaskClient) -> None:
    for body, kind in (
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 60_000, "application/json"),
        (b"{}", "text/plain"),
        (b"redirect_uris=x", "application/x-www-form-urlencoded"),
    ):
        response = client.post("/openid/register", data=body, content_type=kind)
        assert (response.status_code, response.get_json()["error"]) == (400, "invalid_client_metadata"), body[:20]
    large = client.post("/openid/register", data=b" " * 70_000, content_type="application/json")
    assert large.status_code == 413


def test_a_client_of_the_sandbox_registers_itself(app: Flask, client: FlaskClient) -> None:
    made = made_by(register(client, SOUND | {"unknown": {"is": "passed over"}, "grant_types": ["authorization_code"]}))
    assert made["client_secret"]
    assert made["client_secret_expires_at"] == 0
    assert made["environment"] == "sandbox"
    assert made["token_endpoint_auth_method"] == "client_secret_basic"
    assert made["client_name"] == "Trámites"
    assert "unknown" not in made
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    headers = basic(made["client_id"], made["client_secret"])
    assert client.post("/openid/token", data=form, headers=headers).get_json()["error"] == "invalid_grant"
    with app.app_context():
        kept = session().scalars(select(Client)).one()
        assert (str(kept.owner), kept.sector) == ("open-registration", f"client:{made['client_id']}")
        assert made["registration_access_token"].encode() not in (kept.registration_token_hash or b"")


def test_without_a_sandbox_nobody_registers_who_was_not_let_in(settings: Settings) -> None:
    alone = create_app(replace(settings, blocks=("identity",)))
    response = alone.test_client().post("/openid/register", json=SOUND)
    assert (response.status_code, response.get_json()["error"]) == (401, "invalid_token")
    ENGINE.of(alone).dispose()


def test_each_profile_registers_what_it_allows(client: FlaskClient) -> None:
    key = a_key()
    strict = made_by(register(client, SOUND | {"profile": "fapi2", "jwks": public(key)}))
    assert (strict["token_endpoint_auth_method"], "client_secret" in strict) == ("private_key_jwt", False)
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    response = client.post("/openid/token", data=form | an_assertion(key, strict["client_id"]))
    assert response.get_json()["error"] != "invalid_client"
    public_client = made_by(register(client, SOUND | {"token_endpoint_auth_method": "none"}))
    assert "client_secret" not in public_client
    refreshing = made_by(register(client, SOUND | {"grant_types": ["authorization_code", "refresh_token"]}))
    assert "offline_access" in refreshing["scope"].split()


@pytest.fixture
def made(client: FlaskClient) -> dict[str, Any]:
    return made_by(register(client, SOUND))


def test_who_may_not_manage_a_client(client: FlaskClient, made: dict[str, Any]) -> None:
    other = made_by(register(client, SOUND))
    path = made["registration_client_uri"].removeprefix("http://localhost")
    for method in ("GET", "PUT", "DELETE"):
        assert client.open(path, method=method, json=SOUND).status_code == 401
        assert client.open(path, method=method, headers=basic("a", "b"), json=SOUND).status_code == 401
        for token in ("", "wrong", other["registration_access_token"], made["client_secret"]):
            response = manage(client, method, made, token=token, json=SOUND)
            assert (response.status_code, response.get_json()["error"]) == (401, "invalid_token")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    for client_id in ("0" * 32, "x" * 500):
        headers = {"Authorization": f"Bearer {made['registration_access_token']}"}
        assert client.get(f"/openid/register/{client_id}", headers=headers).status_code == 401


def test_reading_tells_no_secret(client: FlaskClient, made: dict[str, Any]) -> None:
    found = manage(client, "GET", made).get_json()
    assert found == {name: value for name, value in made.items() if name != "client_secret"}


def test_replacing_what_must_not_be_sent(client: FlaskClient, made: dict[str, Any]) -> None:
    sound = SOUND | {"client_id": made["client_id"]}
    for change, error in (
        ({"client_id": None}, "invalid_client_metadata"),
        ({"client_id": "other"}, "invalid_client_metadata"),
        ({"client_secret": "chosen"}, "invalid_client_metadata"),
        ({"client_secret": 7}, "invalid_client_metadata"),
        ({"client_secret_expires_at": 0}, "invalid_client_metadata"),
        ({"client_id_issued_at": 0}, "invalid_client_metadata"),
        ({"registration_access_token": "x"}, "invalid_client_metadata"),
        ({"registration_client_uri": "x"}, "invalid_client_metadata"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"profile": "fapi2"}, "invalid_client_metadata"),
    ):
        response = manage(client, "PUT", made, json=sound | change)
        assert (response.status_code, response.get_json()["error"]) == (400, error), change
    assert manage(client, "GET", made).get_json()["client_name"] == "Trámites"


def test_replacing_replaces_all_of_it(client: FlaskClient, made: dict[str, Any]) -> None:
    me = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    more = SOUND | me | {"contacts": ["ana@example.cl"], "client_name": "Otro nombre"}
    assert manage(client, "PUT", made, json=more).get_json()["contacts"] == ["ana@example.cl"]
    found = manage(client, "PUT", made, json=SOUND | {"client_id": made["client_id"]}).get_json()
    assert ("contacts" in found, found["client_name"], "client_secret" in found) == (False, "Trámites", False)
    key = a_key()
    strict = {"client_id": made["client_id"], "profile": "fapi2", "jwks": public(key)}
    changed = manage(client, "PUT", made, json=SOUND | strict)
    assert changed.get_json()["token_endpoint_auth_method"] == "private_key_jwt"


def test_an_end_is_an_end(app: Flask, client: FlaskClient, made: dict[str, Any]) -> None:
    assert manage(client, "DELETE", made).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        assert manage(client, method, made, json=SOUND).status_code == 401
    with app.app_context():
        assert registered_client(made["client_id"]) is None


# ---- initial access tokens ----


@pytest.fixture
def agency(app: Flask, context: None) -> Party:
    an_agency("AE001", "Servicio de Prueba")
    return Party.agency("AE001")


PRODUCTION = {
    "redirect_uris": [HTTPS],
    "client_name": "Trámites",
    "scope": "openid run",
    "contacts": ["ana@example.cl"],
    "scope_reasons": {"run": "Para encontrar su expediente."},
}


def test_initial_tokens_that_are_refused(client: FlaskClient, agency: Party) -> None:
    used = create_initial_token(agency, "production", "Una prueba", uses=1)
    made_by(register(client, PRODUCTION, used.token))
    revoked = create_initial_token(agency, "production", "Una prueba")
    revoke_initial_token(revoked.initial_token.id, agency)
    ended = create_initial_token(agency, "production", "Una prueba", days=1)
    for token in ("", "wrong", used.token, revoked.token):
        assert register(client, PRODUCTION, token).status_code == 401, token
    with clock.shifted(timedelta(days=1, seconds=1)):
        assert register(client, PRODUCTION, ended.token).status_code == 401
    for wrong in ({"purpose": ""}, {"uses": 0}, {"uses": 101}, {"days": 0}, {"days": 366}, {"environment": "moon"}):
        values: dict[str, Any] = {"environment": "production", "purpose": "Una prueba"} | wrong
        with pytest.raises(Invalid):
            create_initial_token(agency, **values)


def test_a_refused_registration_uses_nothing_up(client: FlaskClient, agency: Party) -> None:
    made = create_initial_token(agency, "production", "Una prueba")
    assert register(client, PRODUCTION | {"redirect_uris": [CALLBACK]}, made.token).status_code == 400
    assert register(client, PRODUCTION, made.token).status_code == 201


def test_an_operators_token_registers_in_its_environment(client: FlaskClient, agency: Party) -> None:
    made = made_by(register(client, PRODUCTION, create_initial_token(agency, "production", "Una prueba").token))
    assert made["environment"] == "production"
    assert made["client_secret_expires_at"] > 0
    kept = session().scalars(select(Client)).one()
    assert (kept.owner, kept.approved_by) == (agency, "The test")
    actor = session().scalar(select(AuditEvent.actor).where(AuditEvent.tag == "identity:client:created"))
    assert str(actor).startswith("initial-token:")


def test_an_officials_token_registers_in_the_sandbox_and_asks(client: FlaskClient, agency: Party) -> None:
    act_as(Principal(kind="official", id="1", name="Ana"))
    given = create_initial_token(agency, "production", "Una prueba", uses=2)
    assert not given.initial_token.is_approval
    assert register(client, PRODUCTION | {"scope_reasons": {}}, given.token).status_code == 400
    made = made_by(register(client, PRODUCTION, given.token))
    assert made["environment"] == "sandbox"
    asked = session().scalars(select(ClientReview)).one()
    assert (asked.environment, asked.status) == ("production", "waiting")
    act_as(Principal(kind="official", id="2", name="La autoridad"))
    approve(made["client_id"], get_pending(made["client_id"]).fingerprint)
    found = registered_client(made["client_id"])
    assert found is not None
    assert found.environment == "production"
    session().expire_all()
    assert session().scalars(select(InitialAccessToken)).one().uses_left == 1


@pytest.mark.usefixtures("context")
def test_what_nobody_used_in_the_open_sandbox_is_swept(app: Flask, client: FlaskClient, agency: Party) -> None:
    unused, used, revoked = (made_by(register(client, SOUND)) for _ in range(3))
    own = made_by(register(client, PRODUCTION, create_initial_token(agency, "sandbox", "Una prueba").token))
    kept = session().scalars(select(Client)).all()
    person = a_person(is_test_person=True)
    agreed = {"person_id": person.id, "client_id": used["client_id"], "scopes": ["openid"], "authorization_details": []}
    used_now = insert(ApplicationConsent).values(**agreed, given_at=clock.now(), last_used_at=clock.now())
    session().connection().execute(used_now)
    session().commit()
    revoke_client(revoked["client_id"])
    with clock.shifted(timedelta(days=29)):
        assert sweep_unused_batch() == 0
    with clock.shifted(timedelta(days=31)):
        sweep_unused()
        sweep_unused()
    left = set(session().scalars(select(Client.client_id)))
    assert {one.client_id for one in kept} - left == {unused["client_id"], revoked["client_id"]}
    assert own["client_id"] in left
    swept = session().scalars(select(AuditEvent.subject).where(AuditEvent.tag == "identity:client:swept")).all()
    assert set(swept) == {f"client:{unused['client_id']}", f"client:{revoked['client_id']}"}
    assert registered_client(unused["client_id"]) is None


# ---- sector_identifier_uri (OpenID Connect Registration 5) ----


OTHER = "http://127.0.0.1:9/other"
NO_SECTORS: list[tuple[int, bytes]] = [
    (200, b"[]"),
    (200, json.dumps([CALLBACK]).encode()),
    (200, json.dumps([CALLBACK, f"{OTHER}/"]).encode()),
    (200, json.dumps({"redirect_uris": [CALLBACK, OTHER]}).encode()),
    (200, json.dumps([CALLBACK, OTHER, 7]).encode()),
    (200, b"<html>"),
    (200, b"[" * 100_000),
    (200, b" " * 1_000_000 + json.dumps([CALLBACK, OTHER]).encode()),
    (302, json.dumps([CALLBACK, OTHER]).encode()),
    (404, json.dumps([CALLBACK, OTHER]).encode()),
]


def test_a_sector_has_to_name_every_address_to_return_to(app: Flask, client: FlaskClient) -> None:
    answers = list(NO_SECTORS)
    with publishing(lambda: answers[0]) as (place, calls):
        let_call(app, place)
        asked = SOUND | {"redirect_uris": [CALLBACK, OTHER], "sector_identifier_uri": f"http://{place}/sector.json"}
        while answers:
            refused = register(client, asked)
            told = refused.get_json()
            assert (refused.status_code, told["error"]) == (400, "invalid_client_metadata"), answers[0]
            assert told["error_description"].startswith("sector_identifier_uri:")
            answers.pop(0)
        assert calls == ["/sector.json"] * len(NO_SECTORS)


def test_a_private_place_is_not_asked(client: FlaskClient) -> None:
    with publishing(lambda: (200, json.dumps([CALLBACK]).encode())) as (place, calls):
        refused = register(client, SOUND | {"sector_identifier_uri": f"http://{place}/sector.json"})
        assert (refused.status_code, calls) == (400, [])


def test_a_sector_that_names_them_is_kept_and_asked_again_at_a_change(app: Flask, client: FlaskClient) -> None:
    members = [CALLBACK, OTHER]
    with publishing(lambda: (200, json.dumps(members).encode())) as (place, calls):
        let_call(app, place)
        where = f"http://{place}/sector.json"
        made = made_by(register(client, SOUND | {"sector_identifier_uri": where}))
        assert made["sector_identifier_uri"] == where
        again = SOUND | {"redirect_uris": [CALLBACK, OTHER], "sector_identifier_uri": where}
        assert manage(client, "PUT", made, json=again | {"client_id": made["client_id"]}).status_code == 200
        members.remove(CALLBACK)
        refused = manage(client, "PUT", made, json=again | {"client_id": made["client_id"]})
        assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_client_metadata")
        assert len(calls) >= 3
