"""Bulkheads: what waits for others takes a part of a process's threads, so that there are always some for the rest.

Who is going to wait takes a place, and holds it for as long as others can keep it waiting; where there is none it is
refused at once. So one server that is silent, or a thousand, keep as many threads as are set apart for waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Self

import prometheus_client

from kernel.base.errors import Unavailable, _
from kernel.base.installation import settings
from kernel.base.settings import Settings
from kernel.base.slots import Slot

WAITING = prometheus_client.Gauge(
    "cordillera_waiting", "Threads that wait for others, by what for", ["kind"], multiprocess_mode="livesum"
)
REFUSED = prometheus_client.Counter(
    "cordillera_waiting_refused", "Refused because too many wait, and of what there were too many", ["kind", "limit"]
)
RETRY_SECONDS = "5"


class Saturated(Unavailable):
    """As many wait as may; nobody was called."""

    remedy = _("Wait for the time in the Retry-After header and try again.")

    def __init__(self, log: str) -> None:
        super().__init__(log=log, headers={"Retry-After": RETRY_SECONDS})


class DestinationSaturated(Saturated):
    """Too many wait for one server."""

    kind = "provider-saturated"
    title = _("The provider is taking too long, and too many calls are waiting for it")
    explanation = _(
        "The provider is answering so slowly that no more calls to it are accepted for now. It was not called."
    )
    remedy = _("Wait for the time in the Retry-After header and try again, or write to the service's contact.")


class OutwardCallsSaturated(Saturated):
    """Too many wait for other servers."""

    kind = "outward-calls-saturated"
    title = _("Too many calls to other systems are waiting")
    explanation = _("Slow systems are taking up all the room for calls to others. No call was made.")


class Place:
    """A place taken; given back once, however often it is released, and also where it is forgotten."""

    def __init__(self, give_back: Callable[[], None], forgotten: deque[Callable[[], None]]) -> None:
        self._once, self._forgotten = [give_back], forgotten

    def release(self) -> None:
        with suppress(IndexError):
            self._once.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def __del__(self) -> None:
        # The garbage collector runs this anywhere, also where this thread holds the lock that giving back needs; and of
        # what is forgotten together, it may well let others release the place after this.
        with suppress(IndexError):
            self._forgotten.append(self._once.pop())


class Bulkhead:
    """Places for so many that wait at once; of one kind, and for one destination, no more than a part of them."""

    def __init__(self, places: int, of_a_kind: int, for_one: int) -> None:
        self._places, self._of_a_kind, self._for_one = places, of_a_kind, for_one
        self._taken: list[tuple[str, str]] = []
        self._lock = Lock()
        self._forgotten: deque[Callable[[], None]] = deque()

    def take(self, kind: str, destination: str) -> Place:
        """A place to wait for the destination. Raises DestinationSaturated, OutwardCallsSaturated."""
        while self._forgotten:
            self._forgotten.popleft()()
        with self._lock:
            full = self._full(kind, destination)
            if not full:
                self._taken.append((kind, destination))
        if full:
            REFUSED.labels(kind, full).inc()
            saturated = DestinationSaturated if full == "destination" else OutwardCallsSaturated
            raise saturated(f"no place of this {full} to wait for {destination} ({kind})")
        WAITING.labels(kind).inc()
        return Place(lambda: self._give_back(kind, destination), self._forgotten)

    def _full(self, kind: str, destination: str) -> str:
        """Of what there are no places left; empty where there is one."""
        if sum(each[1] == destination for each in self._taken) >= self._for_one:
            return "destination"
        if sum(each[0] == kind for each in self._taken) >= self._of_a_kind:
            return "kind"
        return "process" if len(self._taken) >= self._places else ""

    def _give_back(self, kind: str, destination: str) -> None:
        with self._lock:
            self._taken.remove((kind, destination))
        WAITING.labels(kind).dec()


OUTWARD_CALLS: Slot[Bulkhead] = Slot("outward_calls", lambda: _for_outward_calls(settings()))


def outward_calls() -> Bulkhead:
    """This application's bulkhead for calls to others' servers."""
    return OUTWARD_CALLS()


def _for_outward_calls(settings: Settings) -> Bulkhead:
    calls = settings.outward_calls
    # Calls through the gateway may not take the places of the look-ups that a sign-in needs.
    return Bulkhead(calls, max(1, calls * 3 // 4), max(1, calls * settings.destination_percent // 100))
