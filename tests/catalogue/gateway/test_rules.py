"""The gateway's decisions, as pure functions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.gateway.rules import DailyCalls, seconds_to_midnight


def test_the_calls_left_are_never_fewer_than_none() -> None:
    assert DailyCalls(limit=10, used=12, seconds_left=5).headers()["RateLimit"] == '"agreement";r=0;t=5'


@pytest.mark.parametrize(
    ("local", "seconds"),
    [
        ("2026-11-30T00:00:00", 86_400),
        ("2026-11-30T23:59:59", 1),
        ("2026-04-04T00:00:00", 90_000),  # clocks go back at midnight
        ("2026-09-05T12:00:00", 43_200),
    ],
)
def test_a_day_is_as_long_as_it_is_in_santiago(local: str, seconds: int) -> None:
    santiago = ZoneInfo("America/Santiago")
    assert seconds_to_midnight(datetime.fromisoformat(local).replace(tzinfo=santiago)) == seconds


@given(st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_after_the_seconds_left_it_is_another_day(utc: datetime) -> None:
    local = utc.astimezone(ZoneInfo("America/Santiago"))
    after = (utc + timedelta(seconds=seconds_to_midnight(local) + 1)).astimezone(local.tzinfo)
    assert after.date() > local.date()
