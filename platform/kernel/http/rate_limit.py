"""Rate limits of an address: on everything, generously; on what is dear, as its view says.

What everything counts against is kept in each process: it keeps a flood out and costs next to nothing. The limits of
single views are counted where `rate_limit_storage` says, for all processes together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from kernel.base.errors import TooMany
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.http.incoming import Incoming

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., Any])

REQUESTS_A_MINUTE = 6_000
"""Per address: far beyond a person, and beyond an office behind one address."""


@dataclass
class Minute:
    """Requests of each address in the current minute."""

    number: int = -1
    counts: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, address: str, now: float) -> int:
        """The number of requests of the address, with this one."""
        with self.lock:
            number = int(now // 60)
            if number != self.number:
                self.number, self.counts = number, {}
            self.counts[address] = count = self.counts.get(address, 0) + 1
            return count


class Limiter:
    """Limits of views: of each request to them, or of those that the view counts itself."""

    def limit(self, often: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Let an address reach the view as often as `30 per hour` says. Raises TooMany beyond."""
        item = parse(often)

        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            @wraps(view)
            def limited(*args: P.args, **kwargs: P.kwargs) -> R:
                _count(item, Incoming.of_flask())
                return view(*args, **kwargs)

            return limited

        return decorate

    def count(self, often: str, incoming: Incoming) -> None:
        """Count this request of its endpoint, which knows whom it counts. Raises TooMany."""
        _count(parse(often), incoming)

    def exempt(self, view: View) -> View:
        """Count no request of this view: programs call it, and behind their address a whole agency may be."""
        view.is_unlimited = True  # type: ignore[attr-defined]
        return view


limiter = Limiter()


COUNTERS: Slot[RateLimiter | None] = Slot("rate_limits", lambda: None)
MINUTE: Slot[Minute | None] = Slot("minute", lambda: None)


def _count(item: RateLimitItem, incoming: Incoming) -> None:
    counters, place = COUNTERS(), (str(incoming.endpoint), incoming.address)
    if counters is not None and not counters.hit(item, *place):
        raise _wait(counters.get_window_stats(item, *place).reset_time)


def _wait(until: float) -> TooMany:
    return TooMany(headers={"Retry-After": str(max(1, int(until - time.time() + 1)))})


def install_rate_limit(app: Flask, settings: Settings) -> None:
    """Count every request but those of exempt views. Tests, which all come from one address, are not limited."""
    if settings.environment == "test":
        return
    COUNTERS.fill(app, FixedWindowRateLimiter(storage_from_string(settings.rate_limit_storage)))
    MINUTE.fill(app, Minute())


def count_against_limit(incoming: Incoming) -> None:
    """Count a request, once, against what its address may ask in a minute. Raises TooMany."""
    if not incoming.is_counted:
        return
    if incoming.is_within_limit is None:
        minute = MINUTE()
        count = minute.count(incoming.address, time.time()) if minute is not None else 0
        incoming.is_within_limit = count <= REQUESTS_A_MINUTE
    if not incoming.is_within_limit:
        raise _wait(60 * (time.time() // 60 + 1))


def is_counted(view: Callable[..., Any]) -> bool:
    """Whether requests of this view count against what an address may ask in a minute."""
    return not getattr(view, "is_unlimited", False)
