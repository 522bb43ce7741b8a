"""Back-channel logout: who is told of which session's end, by what token, and what ends with it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from builders.clients import a_client, tokens_for, userinfo
from builders.identity import a_person, sign_in
from builders.receiver import Answer, Receiver, a_receiver, bring_forward
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select, text

from identity.authentication.passwords.actions import change_password
from identity.authentication.sessions.actions import end_expired_batch
from identity.clients.registry.actions import NewClient, revoke_client
from identity.openid.authorization import logout_actions
from identity.people.models import Person
from kernel.base import clock
from kernel.base.settings import Settings
from kernel.database.db import engine, new_session, session
from kernel.jobs import jobs
from kernel.jobs.access import Principal, act_as, current_principal
from kernel.jobs.jobs import run_worker
from kernel.outside.deliveries import Delivery
from kernel.outside.deliveries_lists import attempts_of
from kernel.recording.audit import AuditEvent

PASSWORD = "una frase larga y secreta"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def ear() -> Iterator[Receiver]:
    """The server of the applications that are told."""
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, ear: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({ear.address}))


def heard(ear: Receiver) -> list[tuple[str, str]]:
    """The paths that were told, each with its logout token."""
    for request in ear.requests:
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert not any(name.lower().startswith("webhook-") for name in request.headers)
    return [(request.path, parse_qs(request.body.decode())["logout_token"][0]) for request in ear.requests]


@pytest.fixture
def hearing(app: Flask, ear: Receiver) -> NewClient:
    with app.app_context():
        scopes = ["openid", "name", "offline_access"]
        return a_client("standard", scopes=scopes, options={"backchannel_logout_uri": ear.url("/salida")})


@pytest.fixture
def deaf(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", name="Sorda", scopes=["openid", "name", "offline_access"])


def claims_of(client: FlaskClient, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    found = jwt.decode(token, keys, algorithms=["ES256"])
    assert found.header["typ"] == "logout+jwt"
    return found.claims


def test_whoever_was_entered_is_told_of_the_end(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, deaf: NewClient, ear: Receiver
) -> None:
    told = tokens_for(client, hearing, scope="openid")
    tokens_for(client, hearing, scope="openid")
    tokens_for(client, deaf, scope="openid")
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    id_token = jwt.decode(told["id_token"], keys, algorithms=["ES256"]).claims
    client.get("/openid/end-session", query_string={"id_token_hint": told["id_token"]})
    run_worker(app, until_empty=True)
    [(address, token)] = heard(ear)
    assert address == "/salida"
    claims = claims_of(client, token)
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
    assert claims["events"] == {EVENT: {}}
    assert (claims["iss"], claims["aud"]) == ("http://localhost/openid", hearing.client.client_id)
    assert (claims["sub"], claims["sid"]) == (id_token["sub"], id_token["sid"])
    assert claims["exp"] - claims["iat"] <= 120
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:logout:told")).one()
        assert event.detail == {"sid": claims["sid"], "status": 200}


def test_each_application_is_told_in_its_own_name_and_once(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    """Back-Channel Logout 2.4 and 2.5: one token for each, with its own aud, sub and jti."""
    options = {"backchannel_logout_uri": ear.url("/otra/salida")}
    with app.app_context():
        other = a_client("standard", name="Otra", redirect_uris=["https://otra.example/vuelta"], options=options)
        revoked = a_client("standard", name="Revocada", options=options)
    for made in (hearing, other, revoked):
        tokens_for(client, made, scope="openid")
    with app.app_context():
        revoke_client(revoked.client.client_id)
    for _ in range(2):
        client.post("/openid/end-session/confirm")
        run_worker(app, until_empty=True)
    by_path = {path: claims_of(client, token) for path, token in heard(ear)}
    assert len(ear.requests) == 2
    told, told_other = by_path["/salida"], by_path["/otra/salida"]
    assert (told["aud"], told_other["aud"]) == (hearing.client.client_id, other.client.client_id)
    assert told["jti"] != told_other["jti"]
    assert told["sub"] != told_other["sub"]


def test_a_logout_token_is_no_id_token_and_no_access_token(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    tokens_for(client, hearing, scope="openid")
    client.post("/openid/end-session/confirm")
    run_worker(app, until_empty=True)
    [(_, token)] = heard(ear)
    assert userinfo(client, token).status_code == 401
    sign_in(client, person)
    page = client.get("/openid/end-session", query_string={"id_token_hint": token})
    assert page.status_code == 200


def test_a_session_whose_code_was_never_redeemed_is_nobodys(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    client.post("/openid/end-session/confirm")
    run_worker(app, until_empty=True)
    assert ear.requests == []


def test_who_is_out_of_order_is_told_again(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    ear.answers = [Answer(503), Answer(503), Answer(400)]
    tokens_for(client, hearing, scope="openid")
    client.post("/openid/end-session/confirm")
    for _ in range(4):
        run_worker(app, until_empty=True)
        bring_forward(app)
    # OIDC Back-Channel Logout 2.8: a refusal is final. 2.6: one name, over tokens that are made anew.
    tokens = [claims_of(client, token) for _, token in heard(ear)]
    assert len(tokens) == 3
    assert len({claims["jti"] for claims in tokens}) == 1
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:logout:told")).one()
        assert event.detail == {"sid": tokens[0]["sid"], "status": 400}
        delivery = session().scalars(select(Delivery)).one()
        assert (delivery.status, delivery.owner) == ("failed", f"client:{hearing.client.client_id}")
        assert [one.status for one in attempts_of(delivery.id)] == [503, 503, 400]


def test_who_stays_out_of_order_is_told_for_an_hour(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    ear.answers = [Answer(500)] * 20
    tokens_for(client, hearing, scope="openid")
    client.post("/openid/end-session/confirm")
    for _ in range(14):
        run_worker(app, until_empty=True)
        bring_forward(app)
    assert len(ear.requests) == 12
    with app.app_context():
        assert session().scalars(select(Delivery.status)).one() == "failed"
        assert session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:logout:told")).all() == []


def test_a_logout_that_an_older_release_put_off_is_told(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    with app.app_context(), new_session() as own:
        told = {"client_id": hearing.client.client_id, "person_id": str(person.id), "sid": "a", "jti": "b"}
        jobs.defer(own, logout_actions.send_logout, told)
        own.commit()
    run_worker(app, until_empty=True)
    [(_, token)] = heard(ear)
    assert (claims_of(client, token)["sid"], claims_of(client, token)["jti"]) == ("a", "b")


def test_time_that_is_over_is_told_too_and_takes_nothing_away(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    given = tokens_for(client, hearing, scope="openid")
    with clock.shifted(timedelta(minutes=29)), app.app_context():
        assert end_expired_batch() == 0
    run_worker(app, until_empty=True)
    assert ear.requests == []
    with clock.shifted(timedelta(minutes=31)), app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        assert [end_expired_batch(), end_expired_batch()] == [1, 0]
    run_worker(app, until_empty=True)
    assert len(ear.requests) == 1
    assert userinfo(client, given["access_token"]).status_code == 200


def test_leaving_ends_what_was_given_but_not_what_is_for_while_away(
    app: Flask, client: FlaskClient, person: Person, deaf: NewClient
) -> None:
    present, away = tokens_for(client, deaf, scope="openid"), tokens_for(client, deaf, scope="openid offline_access")
    client.post("/openid/end-session/confirm")
    assert userinfo(client, present["access_token"]).status_code == 401
    assert userinfo(client, away["access_token"]).status_code == 200


def test_a_new_password_ends_everything(app: Flask, client: FlaskClient, ear: Receiver) -> None:
    with app.app_context():
        real = a_person(password=PASSWORD)
        made = a_client("standard", scopes=["openid", "offline_access"])
        with engine().begin() as connection:
            connection.execute(text("UPDATE client SET environment = 'production'"))
    sign_in(client, real, PASSWORD)
    given = tokens_for(client, made, scope="openid offline_access")
    with app.app_context():
        act_as(Principal(kind="person", id=str(real.id), name=real.name))
        change_password(current_principal(), PASSWORD, "otra frase larga y distinta", "127.0.0.1")
    assert userinfo(client, given["access_token"]).status_code == 401


def test_signing_in_anew_in_the_same_browser_keeps_the_sessions_name(
    app: Flask, client: FlaskClient, person: Person, hearing: NewClient, ear: Receiver
) -> None:
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    first = tokens_for(client, hearing, scope="openid")
    sign_in(client, person)
    second = tokens_for(client, hearing, scope="openid")
    names = {jwt.decode(one["id_token"], keys, algorithms=["ES256"]).claims["sid"] for one in (first, second)}
    assert len(names) == 1
    run_worker(app, until_empty=True)
    assert ear.requests == []
    with app.app_context():
        other = a_person(is_test_person=True)
    sign_in(client, other)
    run_worker(app, until_empty=True)
    assert len(ear.requests) == 1
    assert userinfo(client, first["access_token"]).status_code == 401
