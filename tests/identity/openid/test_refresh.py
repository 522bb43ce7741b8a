"""Refresh families: rotation, the grace for a retry, reuse, and what ends them."""

from datetime import timedelta
from typing import Any

import pytest
from builders.clients import a_client, basic, tokens_for, userinfo
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.clients.registry.actions import NewClient
from kernel.base import clock

OFFLINE = "openid name offline_access"
GRACE = timedelta(minutes=5)


@pytest.fixture
def offline(app: Flask, client: FlaskClient) -> NewClient:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard", scopes=["openid", "name", "offline_access"])
    sign_in(client, person)
    return made


@pytest.fixture
def by_value(app: Flask, client: FlaskClient) -> NewClient:
    with app.app_context():
        person = a_person(is_test_person=True)
        scopes = ["openid", "name", "offline_access"]
        made = a_client("standard", scopes=scopes, options={"access_token_format": "jwt"})
    sign_in(client, person)
    return made


def refresh(browser: FlaskClient, made: NewClient, token: str, **form: str) -> dict[str, Any]:
    data = {"grant_type": "refresh_token", "refresh_token": token, **form}
    response = browser.post("/openid/token", data=data, headers=basic(made.client.client_id, made.secret))
    found: dict[str, Any] = response.get_json()
    return found


def test_a_refresh_token_works_once_and_brings_the_next(client: FlaskClient, offline: NewClient) -> None:
    first = tokens_for(client, offline, scope=OFFLINE)
    second = refresh(client, offline, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert userinfo(client, second["access_token"]).get_json()["given_name"] == "María Carmen"
    with clock.shifted(timedelta(days=29)):
        third = refresh(client, offline, second["refresh_token"])
    with clock.shifted(timedelta(days=60)):
        assert refresh(client, offline, third["refresh_token"])["error"] == "invalid_grant"


def test_a_refresh_may_ask_for_less_and_never_for_more(client: FlaskClient, offline: NewClient) -> None:
    first = tokens_for(client, offline, scope=OFFLINE)
    assert refresh(client, offline, first["refresh_token"], scope="openid run")["error"] == "invalid_scope"
    less = refresh(client, offline, first["refresh_token"], scope="openid")
    assert set(userinfo(client, less["access_token"]).get_json()) == {"sub"}
    again = refresh(client, offline, less["refresh_token"])
    assert set(again["scope"].split()) == set(OFFLINE.split())


def test_without_offline_access_there_is_no_refresh_token(
    client: FlaskClient, offline: NewClient, made: NewClient
) -> None:
    assert "refresh_token" not in tokens_for(client, offline, scope="openid")
    assert "refresh_token" not in tokens_for(client, made, scope="openid offline_access")


def test_a_retry_within_the_grace_gets_an_equivalent_answer(client: FlaskClient, offline: NewClient) -> None:
    first = tokens_for(client, offline, scope=OFFLINE)
    second = refresh(client, offline, first["refresh_token"])
    with clock.shifted(GRACE - timedelta(seconds=3)):
        again = refresh(client, offline, first["refresh_token"])
    assert again["refresh_token"] == second["refresh_token"] != first["refresh_token"]
    assert again["access_token"] != second["access_token"]
    assert userinfo(client, second["access_token"]).status_code == 200
    assert "access_token" in refresh(client, offline, second["refresh_token"])


def test_after_the_grace_reuse_ends_the_family(client: FlaskClient, offline: NewClient) -> None:
    first = tokens_for(client, offline, scope=OFFLINE)
    second = refresh(client, offline, first["refresh_token"])
    with clock.shifted(GRACE + timedelta(seconds=1)):
        assert refresh(client, offline, first["refresh_token"])["error"] == "invalid_grant"
        assert refresh(client, offline, second["refresh_token"])["error"] == "invalid_grant"
    assert userinfo(client, second["access_token"]).status_code == 401


def test_once_the_successor_was_used_it_is_no_retry(client: FlaskClient, offline: NewClient) -> None:
    first = tokens_for(client, offline, scope=OFFLINE)
    second = refresh(client, offline, first["refresh_token"])
    third = refresh(client, offline, second["refresh_token"])
    assert refresh(client, offline, first["refresh_token"])["error"] == "invalid_grant"
    assert refresh(client, offline, third["refresh_token"])["error"] == "invalid_grant"


def test_another_client_neither_retries_nor_ends_the_family(
    app: Flask, client: FlaskClient, offline: NewClient
) -> None:
    with app.app_context():
        other = a_client("standard", name="Otra aplicación", scopes=["openid", "offline_access"])
    first = tokens_for(client, offline, scope=OFFLINE)
    second = refresh(client, offline, first["refresh_token"])
    assert refresh(client, other, first["refresh_token"])["error"] == "invalid_grant"
    with clock.shifted(GRACE * 2):
        assert refresh(client, other, first["refresh_token"])["error"] == "invalid_grant"
    assert "access_token" in refresh(client, offline, second["refresh_token"])


WRONG = ["", "x", "\x00", "ñ", "x" * 5_000, "a.b.c"]


def test_what_is_no_refresh_token_gets_nothing(client: FlaskClient, offline: NewClient) -> None:
    for token in WRONG:
        assert refresh(client, offline, token)["error"] in ("invalid_grant", "invalid_request"), token
    access_token = tokens_for(client, offline, scope=OFFLINE)["access_token"]
    assert refresh(client, offline, access_token)["error"] == "invalid_grant"


def test_an_access_token_by_value_says_what_the_standard_wants(client: FlaskClient, by_value: NewClient) -> None:
    given = tokens_for(client, by_value, scope=OFFLINE)
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    found = jwt.decode(given["access_token"], keys, algorithms=["ES256"])
    assert found.header["typ"] == "at+jwt"
    claims = found.claims
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "auth_time", "acr", "amr"} <= set(claims)
    assert (claims["aud"], claims["client_id"]) == ("http://localhost/openid", by_value.client.client_id)
    told = userinfo(client, given["access_token"]).get_json()
    assert (told["sub"], told["given_name"]) == (claims["sub"], "María Carmen")


def test_a_token_by_value_ends_with_its_family(client: FlaskClient, by_value: NewClient) -> None:
    first = tokens_for(client, by_value, scope=OFFLINE)
    refresh(client, by_value, first["refresh_token"])
    with clock.shifted(GRACE * 2):
        refresh(client, by_value, first["refresh_token"])
    assert userinfo(client, first["access_token"]).status_code == 401


def test_a_token_by_value_for_another_place_tells_nothing_here(client: FlaskClient, by_value: NewClient) -> None:
    for asked in ("http://localhost", "http://localhost/api/v1"):
        given = tokens_for(client, by_value, scope=OFFLINE, resource=asked)
        assert userinfo(client, given["access_token"]).status_code == 401
        refused = refresh(client, by_value, given["refresh_token"], resource="https://elsewhere.example")
        assert refused["error"] == "invalid_target"
