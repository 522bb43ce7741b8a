"""The counters of failures as statements keep them are those of the rule, whatever comes in which order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from builders.identity import a_person
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from identity.authentication.login_throttling.actions import COUNTERS, attempt, forgive, forgive_guess, take_guess
from identity.authentication.login_throttling.models import SignInThrottle
from identity.authentication.login_throttling.rules import Counter, WaitBeforeTrying, counter_keys, one_more
from kernel.base import clock
from kernel.database.db import engine
from kernel.database.prepared import PreparedQuery

KEYS = counter_keys(12_345_678, "192.0.2.1")
CODE = "second-factor:somebody"
LOOKUP = PreparedQuery(select(COUNTERS))
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 30, 600, 7200]), st.sampled_from([True, False, False])), max_size=14
)
"""Attempts, each with the seconds since the one before and whether it is right."""
often = hypothesis_settings(max_examples=60)


class Wrong(Exception):
    """The password that was looked at is not the right one."""


class Days:
    """The clock, which stands still but for `pass_by`."""

    def __init__(self) -> None:
        self.now = clock.now().replace(microsecond=0)

    def pass_by(self, seconds: int) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def days(app: Flask) -> Iterator[Days]:
    days = Days()
    with app.app_context(), patch("kernel.base.clock.now", lambda: days.now):
        a_person()
        yield days


def stored() -> dict[str, Counter]:
    rows = select(SignInThrottle.key, SignInThrottle.failures, SignInThrottle.counted_at, SignInThrottle.allowed_at)
    with engine().connect() as connection:
        return {key: Counter(round(failures, 6), *times) for key, failures, *times in connection.execute(rows)}


def forget_all() -> None:
    with engine().begin() as connection:
        connection.execute(delete(SignInThrottle))


def has_to_wait(counters: dict[str, Counter], now: datetime) -> bool:
    return any(counter.allowed_at > now for counter in counters.values())


def after_failure(counters: dict[str, Counter], keys: list[str], now: datetime) -> dict[str, Counter]:
    return {key: one_more(key, counters.get(key), now) for key in keys}


def after_success(counters: dict[str, Counter]) -> dict[str, Counter]:
    """The account's failures are forgotten; of the address's only the attempt itself."""
    return {
        key: replace(counter, failures=counter.failures - 1)
        for key, counter in counters.items()
        if key.startswith("address:") and counter.failures > 1
    }


def rounded(counters: dict[str, Counter]) -> dict[str, Counter]:
    return {key: replace(counter, failures=round(counter.failures, 6)) for key, counter in counters.items()}


def outcome_of_password(*, is_right: bool) -> str:
    try:
        with attempt(KEYS, LOOKUP) as (_row, counted):
            if not is_right:
                raise Wrong
            forgive(counted)
    except Wrong:
        return "wrong"
    except WaitBeforeTrying:
        return "wait"
    return "in"


@often
@given(steps=STEPS)
def test_passwords_are_counted_as_the_rule_says(days: Days, steps: list[tuple[int, bool]]) -> None:
    forget_all()
    expected: dict[str, Counter] = {}
    for seconds, is_right in steps:
        now = days.pass_by(seconds)
        if has_to_wait(expected, now):
            assert outcome_of_password(is_right=is_right) == "wait"
        elif is_right:
            assert outcome_of_password(is_right=True) == "in"
            expected = after_success(after_failure(expected, KEYS, now) if expected else {})
        else:
            assert outcome_of_password(is_right=False) == "wrong"
            expected = after_failure(expected, KEYS, now)
        assert stored() == rounded(expected)


@often
@given(steps=STEPS)
def test_codes_are_counted_as_the_rule_says(days: Days, steps: list[tuple[int, bool]]) -> None:
    forget_all()
    expected: dict[str, Counter] = {}
    for seconds, is_right in steps:
        now = days.pass_by(seconds)
        if has_to_wait(expected, now):
            with pytest.raises(WaitBeforeTrying):
                take_guess(CODE)
        else:
            take_guess(CODE)
            expected = after_failure(expected, [CODE], now)
            if is_right:
                forgive_guess(CODE)
                expected = {}
        assert stored() == rounded(expected)
