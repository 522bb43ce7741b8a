"""Rules of sessions: how long one is active, how its person proved who they are, and what a browser calls itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

COOKIE = "cordillera_session"
IDLE_LIMIT = timedelta(minutes=30)
ABSOLUTE_LIMIT = timedelta(hours=12)
LAST_SEEN_EVERY = timedelta(minutes=1)
KEPT_FOR = timedelta(days=1)
"""The time for which a session that has ended is kept: nothing reads it, and the audit tells what became of it."""

ACR_PASSWORD = "urn:cordillera:acr:1"
"""One factor, a password."""
ACR_TWO_FACTORS = "urn:cordillera:acr:2"
"""A password, and something that the person has: an app with their secret, or a recovery code."""


@dataclass(frozen=True)
class AuthenticationResult:
    """A person's authentication: the level that it reaches, and the methods by their names of RFC 8176 2."""

    acr: str
    amr: tuple[str, ...]


PASSWORD_ALONE = AuthenticationResult(ACR_PASSWORD, ("pwd",))
PASSWORD_AND_CODE = AuthenticationResult(ACR_TWO_FACTORS, ("pwd", "otp", "mfa"))
# RFC 8176 has no name for codes on paper: what it can say is that there were two factors.
PASSWORD_AND_RECOVERY_CODE = AuthenticationResult(ACR_TWO_FACTORS, ("pwd", "mfa"))


def is_active(now: datetime, last_seen_at: datetime, expires_at: datetime) -> bool:
    """Thirty minutes without a sign of life end a session, and so do twelve hours."""
    return now < expires_at and now - last_seen_at < IDLE_LIMIT


_BROWSERS: Sequence[tuple[str, str]] = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe_device(user_agent: str) -> str:
    """`Firefox · Windows`, or an empty string for what says nothing known."""
    sample = user_agent[:400]
    names = [next((name for mark, name in marks if mark in sample), "") for marks in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in names if name)
