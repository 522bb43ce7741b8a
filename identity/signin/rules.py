"""When a session is alive, how long to wait after failures, and what a browser calls itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.errors import Problem, TooMany, _

COOKIE = "cordillera_session"
IDLE_LIMIT = timedelta(minutes=30)
ABSOLUTE_LIMIT = timedelta(hours=12)
LAST_SEEN_EVERY = timedelta(minutes=1)
KEPT_FOR = timedelta(days=1)
"""How long a session that has ended is kept: nothing reads it any more, and the audit tells what became of it."""
HALFWAY_LIVES = timedelta(minutes=10)
"""How long a person may look for their telephone after the password."""

ACR_PASSWORD = "urn:cordillera:acr:1"
"""One factor, a password."""
ACR_TWO_FACTORS = "urn:cordillera:acr:2"
"""A password, and something that the person has: an app with their secret, or a recovery code."""

FORGET_FAILURES_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Proof:
    """How a person proved who they are: the level that it reaches, and the methods by their names of RFC 8176 2."""

    acr: str
    amr: tuple[str, ...]


PASSWORD_ALONE = Proof(ACR_PASSWORD, ("pwd",))
PASSWORD_AND_CODE = Proof(ACR_TWO_FACTORS, ("pwd", "otp", "mfa"))
# RFC 8176 has no name for codes on paper: what it can say is that there were two factors.
PASSWORD_AND_RECOVERY_CODE = Proof(ACR_TWO_FACTORS, ("pwd", "mfa"))


@dataclass(frozen=True)
class Asking:
    """The application on whose behalf somebody signs in: its name, and the RUN that it expects, if it says so."""

    application: str
    run: str | None


class WrongCredentials(Problem):
    """The same for an unknown person and a wrong password, so that nobody learns who has an account."""

    kind = "wrong-credentials"
    status = 422
    title = _("The RUN or the password is not right")
    explanation = _("No person has this RUN with this password.")
    remedy = _("Check both and try again. Capital and small letters are different in a password.")
    oauth_error = "access_denied"


class WaitBeforeTrying(TooMany):
    """Too many failures; `seconds` until the next attempt is looked at."""

    kind = "wait-before-trying"
    title = _("Wait a moment before you try again")
    explanation = _(
        "There were several failed attempts. We wait a little longer after each one, to stop those who guess."
    )
    remedy = _("Wait for the time shown and try again. Your account is not blocked.")
    oauth_error = "access_denied"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            _(
                "Several attempts failed. Try again in %(seconds)s seconds. Your account is not blocked.",
                seconds=seconds,
            ),
            headers={"Retry-After": str(seconds)},
        )
        self.seconds = seconds


@dataclass(frozen=True)
class Brake:
    """How failures slow the next attempt down: `free` cost nothing, then each doubles the wait up to `longest`.

    One failure is forgotten in every `forget_one_in`.
    """

    free: int
    longest: timedelta
    forget_one_in: timedelta

    def wait_after(self, failures: float) -> timedelta:
        """The wait before the attempt that follows `failures` failures."""
        beyond = round(failures) - self.free
        if beyond < 0:
            return timedelta()
        return min(timedelta(seconds=2 ** min(beyond, 20)), self.longest)

    def remembered(self, failures: float, elapsed: timedelta) -> float:
        """What is left of the failures after some time."""
        return max(0.0, failures - max(elapsed, timedelta()) / self.forget_one_in)


# One person's guesses at one account wait longest. An account alone waits at most a minute, so that strangers who
# fail on purpose cannot keep its owner out. An address may be an office of hundreds behind one router.
BRAKES = {
    "account-address": Brake(5, timedelta(minutes=15), timedelta(minutes=10)),
    "account": Brake(10, timedelta(minutes=1), timedelta(minutes=5)),
    "address": Brake(100, timedelta(minutes=5), timedelta(seconds=10)),
    # RFC 8628 5.1: a person's guesses at the codes that devices show.
    "device-code": Brake(5, timedelta(minutes=15), timedelta(minutes=10)),
    # RFC 6238 5.1, RFC 4226 7.3: of a million codes three are good at a time; so some 150 guesses a day lead nowhere.
    "second-factor": Brake(5, timedelta(minutes=15), timedelta(minutes=10)),
}


def throttle_keys(run_number: int, address: str) -> list[str]:
    """The counters that an attempt concerns, in the order in which they are locked."""
    place = network_of(address)
    return sorted([f"account:{run_number}", f"account-address:{run_number} {place}", f"address:{place}"])


def brake_of(key: str) -> Brake:
    return BRAKES[key.partition(":")[0]]


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 that one IPv6 subscriber has to himself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


def is_alive(now: datetime, last_seen_at: datetime, expires_at: datetime) -> bool:
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
    found = [next((name for mark, name in marks if mark in sample), "") for marks in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in found if name)
