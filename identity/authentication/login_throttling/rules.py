"""The backoff of failed sign-ins: of whom, from where, and for how long."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.base.errors import TooMany, _, lazy_ngettext

FORGET_FAILURES_AFTER = timedelta(days=1)


class WaitBeforeTrying(TooMany):
    """Too many failures; `seconds` until the next attempt is looked at."""

    kind = "wait-before-trying"
    title = _("Wait a moment before you try again")
    explanation = _(
        "There were several failed attempts. We wait a little longer after each one, to stop anyone who is guessing."
    )
    remedy = _("Wait for the time shown and try again. Your account is not blocked.")
    oauth_error = "access_denied"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            lazy_ngettext(
                "Several attempts failed. Try again in %(num)s second. Your account is not blocked.",
                "Several attempts failed. Try again in %(num)s seconds. Your account is not blocked.",
                seconds,
            ),
            headers={"Retry-After": str(seconds)},
        )
        self.seconds = seconds


@dataclass(frozen=True)
class Backoff:
    """The delay of the next attempt: `free` failures cost nothing, then each doubles the wait up to `longest`.

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
        """Return the failures that still count after some time."""
        return max(0.0, failures - max(elapsed, timedelta()) / self.forget_one_in)


# One person's guesses at one account wait longest. An account alone waits at most a minute, so that strangers who
# fail on purpose cannot keep its owner out. An address may be an office of hundreds behind one router.
BACKOFFS = {
    "account-address": Backoff(5, timedelta(minutes=15), timedelta(minutes=10)),
    "account": Backoff(10, timedelta(minutes=1), timedelta(minutes=5)),
    "address": Backoff(100, timedelta(minutes=5), timedelta(seconds=10)),
    # RFC 8628 5.1: a person's guesses at the codes that devices show.
    "device-code": Backoff(5, timedelta(minutes=15), timedelta(minutes=10)),
    # RFC 6238 5.1, RFC 4226 7.3: of a million codes three are good at a time; so some 150 guesses a day lead nowhere.
    "second-factor": Backoff(5, timedelta(minutes=15), timedelta(minutes=10)),
    # A person's guesses at the six digits that were sent to a telephone, each of them good for ten minutes.
    "phone-code": Backoff(5, timedelta(minutes=15), timedelta(minutes=10)),
}


def counter_keys(run_number: int, address: str) -> list[str]:
    """The counters that an attempt concerns, in the order in which they are locked."""
    place = network_of(address)
    return sorted([f"account:{run_number}", f"account-address:{run_number} {place}", f"address:{place}"])


def backoff_of(key: str) -> Backoff:
    """Return the backoff of a counter, by the kind that its key begins with."""
    return BACKOFFS[key.partition(":")[0]]


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


@dataclass(frozen=True)
class Counter:
    """The state of a counter: the failures, when the last was counted, and when the next attempt is looked at."""

    failures: float
    counted_at: datetime
    allowed_at: datetime


def one_more(key: str, counter: Counter | None, now: datetime) -> Counter:
    """Return the counter after another failure."""
    backoff = backoff_of(key)
    before = backoff.remembered(counter.failures, now - counter.counted_at) if counter else 0.0
    return Counter(before + 1, now, now + backoff.wait_after(before + 1))
