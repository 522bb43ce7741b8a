"""Rules of deliveries: the pauses before another attempt, and the words for its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

JITTER = 0.1
"""The part of a pause by which it is longer or shorter by chance, so that what failed together comes back apart."""


class Status(StrEnum):
    """The status of a delivery. What is held was not sent, because its subscription was paused or disabled."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """The end of one attempt."""

    DELIVERED = "delivered"
    STATUS = "status"
    REDIRECT = "redirect"
    TIMEOUT = "timeout"
    TLS = "tls"
    UNREACHABLE = "unreachable"
    ADDRESS = "address"


@dataclass(frozen=True)
class Schedule:
    """The pauses between attempts; there is one attempt more than pauses.

    longest: up to where a receiver may ask for a longer pause (`Retry-After`).
    """

    pauses: tuple[timedelta, ...]
    longest: timedelta

    def pause_after(self, attempts: int, retry_after: timedelta | None, chance: float) -> timedelta | None:
        """The pause after so many attempts that failed; None if that was the last one.

        chance: a number from 0 to 1. A receiver that names a time is never called earlier, and no pause is shortened.
        """
        if attempts > len(self.pauses):
            return None
        pause = self.pauses[attempts - 1] * (1 + JITTER * (2 * chance - 1))
        # RFC 9110 10.2.3: the time for which the service is expected to be unavailable.
        return max(pause, min(retry_after, self.longest)) if retry_after is not None else pause


# Standard Webhooks, "Deliverability and reliability": three days, with pauses that grow.
THREE_DAYS = Schedule(
    (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
    ),
    longest=timedelta(hours=24),
)


def retry_after_of(header: str | None, now: datetime) -> timedelta | None:
    """The pause that a `Retry-After` asks for, in seconds or as a date (RFC 9110 10.2.3); None where it says none."""
    if not header:
        return None
    if re.fullmatch("[0-9]{1,9}", header):
        return timedelta(seconds=int(header))
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - now, timedelta())


def outcome_of(status: int, *, is_success: bool) -> Outcome:
    """The end of an attempt that was answered. A redirect is not followed: whoever moves says so to us."""
    if is_success:
        return Outcome.DELIVERED
    return Outcome.REDIRECT if 300 <= status < 400 else Outcome.STATUS


def readable_beginning(body: bytes, limit: int) -> str:
    """The beginning of an answer as text that can be kept and shown: control characters are left out."""
    text = body[:limit].decode(errors="replace")
    return "".join(character for character in text if character in "\n\t" or character.isprintable())
