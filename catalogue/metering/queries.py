"""The use of an agreement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from catalogue.gateway.queries import Day, days_with_calls
from kernel.base import clock

DAYS = 30


def by_day(agreement: str, days: int = DAYS) -> Sequence[Day]:
    """The last days of an agreement's use, the oldest first; days without calls count zero."""
    first = clock.local(clock.now()).date() - timedelta(days=days - 1)
    counted = {one.day: one for one in days_with_calls(agreement, first)}
    each = (first + timedelta(days=number) for number in range(days))
    return [counted.get(one, Day(one, 0, 0, 0, 0)) for one in each]
