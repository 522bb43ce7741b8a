"""Time: UTC inside, America/Santiago for people, Chile's business days for legal terms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

SANTIAGO = ZoneInfo("America/Santiago")

_offset = timedelta()


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC) + _offset


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Move this process's clock, so that a test can wait for a deadline without waiting."""
    global _offset
    before, _offset = _offset, _offset + by
    try:
        yield
    finally:
        _offset = before


def local(instant: datetime) -> datetime:
    """An instant on the clocks of Santiago."""
    return instant.astimezone(SANTIAGO)


def today() -> date:
    """The day that it is in Santiago."""
    return local(now()).date()


@lru_cache(maxsize=32)
def _holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("CL", years=year))


def is_business_day(day: date) -> bool:
    """Ley 19.880 art. 25: Saturdays, Sundays and public holidays do not count."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def business_days_after(instant: datetime, days: int) -> datetime:
    """The end, in Santiago, of the day on which a term of `days` business days runs out (Ley 19.880 art. 25)."""
    day = local(instant).date()
    while days > 0:
        day += timedelta(days=1)
        days -= is_business_day(day)
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=SANTIAGO).astimezone(UTC)
