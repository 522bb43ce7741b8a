"""Refresh families: rotation, the grace for a retry, reuse, and what ends them; in any order, too."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from builders.clients import a_client, a_code, basic, redeem, tokens_for, userinfo
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select

from identity.clients.actions import NewClient
from identity.openid.models import RefreshToken
from kernel import clock
from kernel.db import session

OFFLINE = "openid name offline_access"
GRACE = timedelta(seconds=10)


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


def test_many_at_once_get_one_and_the_same_successor(app: Flask, client: FlaskClient, offline: NewClient) -> None:
    token = tokens_for(client, offline, scope=OFFLINE)["refresh_token"]
    together = Barrier(6)

    def present(_: int) -> dict[str, Any]:
        browser = app.test_client()
        together.wait()
        return refresh(browser, offline, token)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(present, range(6)))
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 6
    with app.app_context():
        kept = session().scalars(select(RefreshToken)).all()
        assert sorted(row.used_at is None for row in kept) == [False, True]


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


class Families(RuleBasedStateMachine):
    """A code and the family that comes of it: whatever is presented when, one living refresh token at most, and none
    after a replay.
    """

    browser: FlaskClient
    made: NewClient

    def __init__(self) -> None:
        super().__init__()
        self.past = timedelta()
        self.family: list[str] = []
        self.used_at: list[timedelta] = []
        self.access_tokens: list[str] = []
        self.is_over = False

    @initialize()
    def begin(self) -> None:
        self.code = a_code(self.browser, self.made, scope=OFFLINE)

    @precondition(lambda self: not self.family and not self.is_over)
    @rule()
    def redeem(self) -> None:
        self._took(redeem(self.browser, self.made, self.code).get_json())

    @precondition(lambda self: self.family)
    @rule()
    def replay_the_code(self) -> None:
        with clock.shifted(self.past):
            assert redeem(self.browser, self.made, self.code).get_json()["error"] == "invalid_grant"
        self.is_over = True

    @precondition(lambda self: self.family)
    @rule()
    def refresh_with_the_newest(self) -> None:
        with clock.shifted(self.past):
            answer = refresh(self.browser, self.made, self.family[-1])
        if self.is_over:
            assert answer["error"] == "invalid_grant"
        else:
            self.used_at.append(self.past)
            self._took(answer)

    @precondition(lambda self: len(self.family) > 1)
    @rule()
    def present_the_one_before(self) -> None:
        with clock.shifted(self.past):
            answer = refresh(self.browser, self.made, self.family[-2])
        if self.is_over or self.past - self.used_at[-1] > GRACE:
            assert answer["error"] == "invalid_grant"
            self.is_over = True
        else:
            assert answer["refresh_token"] == self.family[-1]

    @precondition(lambda self: len(self.family) > 2)
    @rule()
    def present_an_old_one(self) -> None:
        with clock.shifted(self.past):
            assert refresh(self.browser, self.made, self.family[0])["error"] == "invalid_grant"
        self.is_over = True

    @rule()
    def wait(self) -> None:
        self.past += timedelta(seconds=15)

    @invariant()
    def tokens_live_as_long_as_the_family(self) -> None:
        if self.access_tokens:
            status = userinfo(self.browser, self.access_tokens[-1]).status_code
            assert status == (401 if self.is_over else 200)

    def _took(self, answer: dict[str, Any]) -> None:
        self.family.append(answer["refresh_token"])
        self.access_tokens.append(answer["access_token"])


@pytest.fixture
def families(client: FlaskClient, offline: NewClient) -> type[Families]:
    Families.browser, Families.made = client, offline
    return Families


def test_codes_and_families_keep_their_promise_in_any_order(families: type[Families]) -> None:
    run_state_machine_as_test(
        families, settings=hypothesis_settings(max_examples=12, stateful_step_count=8, deadline=None)
    )
