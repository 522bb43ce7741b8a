"""The pauses before another attempt, and the words in which one ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.outside.deliveries_rules import (
    THREE_DAYS,
    Outcome,
    outcome_of,
    readable_beginning,
    retry_after_of,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
chances = st.floats(0, 1)
pauses = st.one_of(st.none(), st.timedeltas(timedelta(), timedelta(days=400)))


def test_what_fails_is_tried_for_three_days() -> None:
    whole = sum((THREE_DAYS.pause_after(made, None, 0.5) or timedelta() for made in range(1, 20)), timedelta())
    assert timedelta(days=3) <= whole <= timedelta(days=3, hours=6)


@given(made=st.integers(1, 9), retry_after=pauses, chance=chances)
def test_a_pause_is_never_shorter_than_was_asked_within_a_day(
    made: int, retry_after: timedelta | None, chance: float
) -> None:
    pause = THREE_DAYS.pause_after(made, retry_after, chance)
    assert pause is not None
    assert pause >= THREE_DAYS.pauses[made - 1] * 0.89
    assert pause >= min(retry_after or timedelta(), timedelta(days=1))
    assert pause <= timedelta(hours=27)


@given(chance=chances, retry_after=pauses)
def test_nobody_is_called_for_ever(chance: float, retry_after: timedelta | None) -> None:
    assert THREE_DAYS.pause_after(len(THREE_DAYS.pauses) + 1, retry_after, chance) is None


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        ("Mon, 02 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 02 Mar 2026 11:00:00 GMT", timedelta()),
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("9" * 400, None),
        ("Mon, 99 Mar 2026 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_ways(header: str | None, pause: timedelta | None) -> None:
    assert retry_after_of(header, NOW) == pause


def test_a_redirect_is_an_end_of_its_own() -> None:
    assert outcome_of(302, is_success=False) is Outcome.REDIRECT
    assert outcome_of(500, is_success=False) is Outcome.STATUS
    assert outcome_of(204, is_success=True) is Outcome.DELIVERED


def test_an_answer_is_kept_without_what_cannot_be_shown() -> None:
    assert readable_beginning(b"no\x00 \x1b[31mway\xff\nagain and again", 14) == "no [31mway\ufffd\n"
