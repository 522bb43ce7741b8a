"""The times at which owners are told that a secret or key of theirs ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

WARNED_BEFORE = (timedelta(days=30), timedelta(days=7))


def warning_due(
    ends: Iterable[datetime], warned_of: datetime | None, now: datetime
) -> tuple[datetime, datetime] | None:
    """The end that owners have to be told of and the mark that they were, None if nothing new is to be told.

    They are told once in each of the spans of WARNED_BEFORE.
    """
    end = min((end for end in ends if end > now), default=None)
    if end is None:
        return None
    passed = max((end - span for span in WARNED_BEFORE if end - span <= now), default=None)
    return (end, passed) if passed is not None and (warned_of is None or warned_of < passed) else None
