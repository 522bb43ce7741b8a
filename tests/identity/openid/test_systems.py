"""Tokens of systems: on record in batches, never before the answer; and by a JWT that the system signed (RFC 7523)."""

import time
from typing import Any

import pytest
from builders.clients import a_system, basic, machine_token
from builders.identity import an_agency
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import event, select

from identity.clients.registry.actions import NewClient
from identity.openid.token_endpoint.issuance_log import write_waiting
from kernel.database.db import ENGINE, session
from kernel.recording.audit import AuditEvent

KEY = ECKey.generate_key("P-256", auto_kid=True)
OTHER = ECKey.generate_key("P-256", auto_kid=True)
JWKS = {"keys": [KEY.as_dict(private=False)]}
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ISSUER = "http://localhost/openid"


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
        return a_system(jwks=JWKS)


def events(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        query = select(AuditEvent).where(AuditEvent.tag == "identity:machine-token:issued")
        return list(session().scalars(query))


def test_nothing_is_asked_of_the_database_before_the_answer(app: Flask, client: FlaskClient, system: NewClient) -> None:
    for _ in range(2):
        machine_token(client, system)
    seen: list[str] = []
    engine = ENGINE.of(app)
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: seen.append(statement))
    machine_token(client, system)
    assert seen == []
    assert events(app) == []


def test_what_was_issued_is_on_record_a_moment_later(app: Flask, client: FlaskClient, system: NewClient) -> None:
    tokens = [machine_token(client, system) for _ in range(3)]
    told = [jwt.decode(token, our_keys(client), algorithms=["ES256"]).claims["jti"] for token in tokens]
    write_waiting(app)
    write_waiting(app)
    [found] = events(app)
    assert (found.actor_kind, found.actor, found.agency) == ("machine", system.client.client_id, "AE001")
    assert found.detail["tokens"] == told
    assert found.detail["scopes"] == ["communications.send"]
    assert found.detail["audience"] == ["http://localhost"]


def our_keys(client: FlaskClient) -> KeySet:
    return KeySet.import_key_set(client.get("/openid/jwks").get_json())


def signed(made: NewClient, key: ECKey = KEY, header: dict[str, Any] | None = None, **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": made.client.client_id,
        "sub": made.client.client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": f"{time.monotonic_ns()}",
        **changed,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": KEY.kid, **(header or {})}, kept, key, algorithms=["ES256"])


def ask(client: FlaskClient, made: NewClient, assertion: str | None, **form: str) -> dict[str, Any]:
    data = {"grant_type": BEARER, **({"assertion": assertion} if assertion is not None else {}), **form}
    response = client.post("/openid/token", data=data, headers=basic(made.client.client_id, made.secret))
    found: dict[str, Any] = response.get_json()
    return found


def test_a_wrong_assertion_gets_nothing(app: Flask, client: FlaskClient, system: NewClient) -> None:
    now = int(time.time())
    wrong = [
        signed(system, OTHER),
        signed(system, iss="somebody"),
        signed(system, sub="11.111.111-1"),
        signed(system, sub=None),
        signed(system, aud="https://elsewhere.example"),
        signed(system, aud=None),
        signed(system, exp=now - 1),
        signed(system, exp=None),
        signed(system, exp=now + 7200),
        signed(system, exp="soon"),
        signed(system, iat=now + 300),
        signed(system, jti=None),
        signed(system, jti=""),
        signed(system, header={"typ": "at+jwt"}),
        "x",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.e30.",
        "\x00",
    ]
    for assertion in wrong:
        assert ask(client, system, assertion)["error"] == "invalid_grant", assertion
    assert ask(client, system, None)["error"] == "invalid_request"
    assert ask(client, system, "x" * 20_000)["error"] == "invalid_request"
    assert ask(client, system, signed(system), scope="openid")["error"] == "invalid_scope"


def test_a_system_without_keys_or_another_one_gets_nothing(app: Flask, client: FlaskClient, system: NewClient) -> None:
    with app.app_context():
        keyless = a_system()
    assert ask(client, keyless, signed(keyless))["error"] == "invalid_grant"
    assert ask(client, keyless, signed(system))["error"] == "invalid_grant"


def test_a_sound_assertion_works_once_and_for_the_system_itself(client: FlaskClient, system: NewClient) -> None:
    assertion = signed(system, aud=[ISSUER + "/token"])
    answer = ask(client, system, assertion)
    claims = jwt.decode(answer["access_token"], our_keys(client), algorithms=["ES256"]).claims
    assert (claims["sub"], claims["scope"]) == (system.client.client_id, "communications.send")
    assert "refresh_token" not in answer
    assert ask(client, system, assertion)["error"] == "invalid_grant"


def test_an_assertion_that_many_bring_at_once_works_for_one(app: Flask, system: NewClient) -> None:
    assertion = signed(system)
    answers = at_once(app, [lambda browser: ask(browser, system, assertion)] * 6)
    assert sorted(answer.get("error", "") for answer in answers) == ["", *["invalid_grant"] * 5]


def test_the_record_writes_itself_within_a_second(app: Flask, client: FlaskClient, system: NewClient) -> None:
    app.config["TESTING"] = False
    machine_token(client, system)
    app.config["TESTING"] = True
    until = time.monotonic() + 5
    while not events(app) and time.monotonic() < until:
        time.sleep(0.1)
    [found] = events(app)
    assert len(found.detail["tokens"]) == 1
