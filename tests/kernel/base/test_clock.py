"""Terms count Chile's business days and end with the day in Santiago."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.base import clock
from kernel.base.clock import business_days_after, is_business_day, local


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-09-17T15:00:00+00:00", 1, "2026-09-21"),  # the national holidays of 18 and 19 September
        ("2026-11-20T15:00:00+00:00", 1, "2026-11-23"),  # a weekend
        ("2026-11-23T15:00:00+00:00", 15, "2026-12-15"),  # 8 December
    ],
)
def test_holidays_and_weekends_do_not_count(start: str, days: int, end: str) -> None:
    assert local(business_days_after(datetime.fromisoformat(start), days)).date().isoformat() == end


INSTANTS = st.integers(1_577_880_000, 2_051_265_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(INSTANTS, st.integers(1, 60))
def test_a_term_ends_on_a_business_day_after_as_many_of_them(start: datetime, days: int) -> None:
    end = local(business_days_after(start, days)).date()
    day, counted = local(start).date(), 0
    while day < end:
        day += timedelta(days=1)
        counted += is_business_day(day)
    assert is_business_day(end)
    assert counted == days


def test_a_test_may_move_the_clock() -> None:
    before = clock.now()
    with clock.shifted(timedelta(days=3)):
        assert clock.now() - before > timedelta(days=2)
    assert clock.now() - before < timedelta(minutes=1)
