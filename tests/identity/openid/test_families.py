"""Codes and families of refresh tokens, presented by many at once and in any order, against a real PostgreSQL.

A family is what comes of one sign-in to an application: its code, and every token since.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import a_client, a_code, basic, redeem, userinfo
from builders.identity import a_person, sign_in
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from identity.clients.registry.actions import NewClient
from kernel.base import clock

OFFLINE = "openid name offline_access"
GRACE = timedelta(minutes=5)
callers = st.integers(1, 5)
Answer = dict[str, Any]
Request = Callable[[FlaskClient], Answer]


class Family(RuleBasedStateMachine):
    """A code gives tokens once; a refresh token gives one successor, the same to all who ask in the grace; and after
    a replay nothing lives of what came of the code.
    """

    app: Flask
    browser: FlaskClient
    made: NewClient
    other: NewClient

    def __init__(self) -> None:
        super().__init__()
        self.past = timedelta()
        self.tokens: list[str] = []
        self.used_at: list[timedelta] = []
        self.access_tokens: list[str] = []
        self.is_over = False

    @initialize(callers=st.sampled_from([1, 1, 1, 4]))
    def redeem(self, callers: int) -> None:
        self.code = a_code(self.browser, self.made, scope=OFFLINE)
        given, refused = self._at_once([self._redeeming()] * callers)
        assert len(given) == 1
        self.tokens.append(given[0]["refresh_token"])
        # RFC 6749 4.1.2: who came second replayed the code.
        self.is_over = bool(refused)

    # ---- the rules: what callers do at the same moment ----
    # None has a precondition: who came first is not for hypothesis to repeat, and it may decide what can come next.

    @rule(callers=callers)
    def replay_the_code(self, callers: int) -> None:
        given, _ = self._at_once([self._redeeming()] * callers)
        assert not given
        self.is_over = True

    @rule(callers=callers)
    def refresh_with_the_newest(self, callers: int) -> None:
        given, refused = self._at_once([self._refreshing(self.tokens[-1])] * callers)
        assert not (refused if not self.is_over else given)
        self._took_successor(given)

    @rule(callers=callers)
    def refresh_with_the_one_before(self, callers: int) -> None:
        if len(self.tokens) < 2:
            return
        given, refused = self._at_once([self._refreshing(self.tokens[-2])] * callers)
        is_retry = not self.is_over and self.past - self.used_at[-1] <= GRACE
        assert not (refused if is_retry else given)
        assert {answer["refresh_token"] for answer in given} <= {self.tokens[-1]}
        self.is_over = not is_retry

    @rule(callers=callers)
    def refresh_with_an_old_one(self, callers: int) -> None:
        if len(self.tokens) < 3:
            return
        given, _ = self._at_once([self._refreshing(self.tokens[0])] * callers)
        assert not given
        self.is_over = True

    @rule()
    def refresh_with_the_newest_and_the_one_before(self) -> None:
        """The first to come decides: the one before is a retry, or a replay of what has been followed by two."""
        if len(self.tokens) < 2 or self.is_over:
            return
        newest, before, is_late = self.tokens[-1], self.tokens[-2], self.past - self.used_at[-1] > GRACE
        given, refused = self._at_once([self._refreshing(before), self._refreshing(newest)] * 2)
        retries = [answer for answer in given if answer["refresh_token"] == newest]
        self._took_successor([answer for answer in given if answer not in retries])
        assert not (is_late and retries)
        self.is_over = bool(refused)

    @rule()
    def refresh_while_the_code_is_replayed(self) -> None:
        if self.is_over:
            return
        given, refused = self._at_once([self._refreshing(self.tokens[-1]), self._redeeming()])
        assert refused
        self._took_successor(given)
        self.is_over = True

    @rule(callers=callers)
    def let_another_client_try(self, callers: int) -> None:
        """It gets nothing, and ends nothing."""
        if self.is_over:
            return
        theirs = [self._redeeming(self.other), *(self._refreshing(token, self.other) for token in self.tokens)]
        given, refused = self._at_once([self._refreshing(self.tokens[-1]), *theirs[-callers:]])
        assert (len(given), len(refused)) == (1, len(theirs[-callers:]))
        self._took_successor(given)

    @rule()
    def wait(self) -> None:
        self.past += GRACE * 1.5

    # ---- what is always so ----

    @invariant()
    def what_was_given_lives_as_long_as_the_family(self) -> None:
        for token in {*self.access_tokens[:1], *self.access_tokens[-2:]}:
            assert userinfo(self.browser, token).status_code == (401 if self.is_over else 200)

    def teardown(self) -> None:
        if self.is_over and self.tokens:
            given, _ = self._at_once([self._refreshing(token) for token in self.tokens[-3:]])
            assert not given

    # ---- how it is done ----

    def _took_successor(self, given: Sequence[Answer]) -> None:
        successors = {answer["refresh_token"] for answer in given}
        assert len(successors) <= 1
        if successors:
            self.tokens += successors
            self.used_at.append(self.past)

    def _redeeming(self, made: NewClient | None = None) -> Request:
        return lambda browser: redeem(browser, made or self.made, self.code).get_json()

    def _refreshing(self, token: str, made: NewClient | None = None) -> Request:
        client = made or self.made
        form = {"grant_type": "refresh_token", "refresh_token": token}
        headers = basic(client.client.client_id, client.secret)
        return lambda browser: browser.post("/openid/token", data=form, headers=headers).get_json()

    def _at_once(self, requests: Sequence[Request]) -> tuple[list[Answer], list[Answer]]:
        """Tokens given and refusals told to callers who all ask at the same moment."""
        with clock.shifted(self.past):
            answers = at_once(self.app, requests)
        given = [answer for answer in answers if "access_token" in answer]
        refused = [answer for answer in answers if "access_token" not in answer]
        assert {answer["error"] for answer in refused} <= {"invalid_grant"}
        assert len({answer["access_token"] for answer in given}) == len(given)
        self.access_tokens += [answer["access_token"] for answer in given]
        return given, refused


@pytest.fixture(params=["opaque", "jwt"])
def family(request: pytest.FixtureRequest, app: Flask, client: FlaskClient) -> type[Family]:
    """With access tokens that are looked up, and with such as say all by themselves."""
    with app.app_context():
        person = a_person(is_test_person=True)
        scopes, options = OFFLINE.split(), {"access_token_format": request.param}
        Family.made = a_client("standard", scopes=scopes, options=options)
        Family.other = a_client("standard", name="Otra aplicación", scopes=scopes)
    sign_in(client, person)
    Family.app, Family.browser = app, client
    return Family


def test_codes_and_families_keep_their_promise_whoever_comes_when(family: type[Family]) -> None:
    run_state_machine_as_test(
        family, settings=hypothesis_settings(max_examples=40, stateful_step_count=12, deadline=None)
    )
