"""Loops: work that a process does again and again for as long as it lives, each in a thread of its own.

A loop that fails goes on after a pause that grows; it stops within a second when its process ends; and `/metrics` tells
of each when a turn of it last succeeded, and how many failed.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

STOP_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
OUTAGE = (DBAPIError, PoolTimeout, psycopg.Error)
"""A database that is away says no more by its traceback."""

LAST_SUCCESS = Gauge(
    "cordillera_loop_last_success_timestamp_seconds",
    "When a turn of the loop last succeeded, in Unix time",
    ["loop"],
    multiprocess_mode="max",
)
FAILURES = Counter("cordillera_loop_failures", "Turns of the loop that failed", ["loop"])

log = structlog.get_logger(__name__)


@dataclass
class Supervision:
    """The state of a loop: the pause it makes now, and what the log and the metrics have been told of it."""

    name: str
    every: float
    longest_pause: float = LONGEST_PAUSE_SECONDS
    pause: float = 0.0
    cause: str = ""
    """The failure that the log knows of; an outage is one line, not one for each attempt."""
    _begun_at: float = 0.0

    def __post_init__(self) -> None:
        self.pause = self.every

    @property
    def is_failing(self) -> bool:
        return bool(self.cause)

    def begun(self) -> None:
        """Note that a turn begins."""
        self._begun_at = time.monotonic()

    def succeeded(self) -> None:
        """Note that a turn succeeded, or that one without end does what it is there for."""
        LAST_SUCCESS.labels(self.name).set_to_current_time()
        if self.is_failing:
            log.info("a loop goes on", loop=self.name)
        self.pause, self.cause = self.every, ""

    def failed(self, error: Exception, expected: tuple[type[Exception], ...] = OUTAGE) -> float:
        """Note a failure; how long to pause. One after a long time without any is the first of its kind."""
        FAILURES.labels(self.name).inc()
        if time.monotonic() - self._begun_at > self.longest_pause:
            self.pause = self.every
        self.pause = min(2 * self.pause, self.longest_pause)
        cause = type(error).__name__
        if cause != self.cause:
            facts = {"loop": self.name, "cause": cause, "again_in_seconds": self.pause}
            log.warning("a loop failed and will go on", **facts, exc_info=not isinstance(error, expected))
        self.cause = cause
        return self.pause


@dataclass(eq=False)
class Loop:
    """Work that a process does in turns.

    every: seconds between two turns. interrupt: ends a turn that waits for something, when the loop has to stop.
    last_turn_seconds: how long the process may wait at its end for one turn more; none is made if 0.
    """

    name: str
    turn: Callable[[], object]
    every: float
    longest_pause: float = LONGEST_PAUSE_SECONDS
    interrupt: Callable[[], None] = lambda: None
    last_turn_seconds: float = 0.0
    supervision: Supervision = field(init=False)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _thread: threading.Thread | None = field(init=False, default=None)
    _process: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.supervision = Supervision(self.name, self.every, self.longest_pause)

    @property
    def is_stopping(self) -> bool:
        """Whether the turn should come to its end."""
        return self._stopping.is_set()

    @property
    def runs_here(self) -> bool:
        """Whether it was started in this process, and not in the one that a server forked it from."""
        return self._process == os.getpid()

    def start(self) -> None:
        """Begin, in this process once. The thread never keeps the process alive."""
        with self._lock:
            if self.runs_here:
                return
            self._process = os.getpid()
        _started_here().append(self)
        self._thread = threading.Thread(target=self._run, name=f"loop:{self.name}", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let it end with its turn, which is interrupted where it can be."""
        if not self.is_stopping:
            self._stopping.set()
            self.interrupt()

    def stop(self) -> bool:
        """End it; whether it did in time."""
        self.ask_to_stop()
        if self._thread is None or not self.runs_here:
            return True
        self._thread.join(STOP_SECONDS + self.last_turn_seconds)
        with suppress(ValueError):
            _started_here().remove(self)
        if self._thread.is_alive():
            log.warning("a loop did not stop in time", loop=self.name)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self.run_once()
        if self.last_turn_seconds:
            self.run_once()

    def run_once(self) -> float:
        """Make one turn; how long to pause after it."""
        self.supervision.begun()
        try:
            self.turn()
        except Exception as error:
            return self.every if self.is_stopping else self.supervision.failed(error)
        self.supervision.succeeded()
        return self.every


_loops: dict[int, list[Loop]] = {}


def _started_here() -> list[Loop]:
    """The loops of this process, by its number: a server forks after its master has loaded everything."""
    if os.getpid() not in _loops:
        _loops.clear()
        _loops[os.getpid()] = []
        atexit.register(stop_all)
    return _loops[os.getpid()]


def loops_of_process() -> list[Loop]:
    """List the loops that run in this process."""
    return [loop for loop in _loops.get(os.getpid(), ()) if not loop.is_stopping]


def stop_all(loops: Iterable[Loop] | None = None) -> None:
    """Stop loops together, so that their ends take as long as that of one; those of the process if not said."""
    ending = list(loops_of_process() if loops is None else loops)
    for loop in ending:
        loop.ask_to_stop()
    for loop in ending:
        loop.stop()


@contextmanager
def running(loops: Iterable[Loop]) -> Iterator[None]:
    """Have loops run meanwhile."""
    started = list(loops)
    for loop in started:
        loop.start()
    try:
        yield
    finally:
        stop_all(started)


async def kept_running(
    name: str, work: Callable[[], Awaitable[None]], expected: type[Exception], every: float, longest_pause: float
) -> None:
    """Do work that has no end in an event loop, anew after an expected failure; others are the caller's."""
    supervision = Supervision(name, every, longest_pause)
    while True:
        supervision.begun()
        try:
            await work()
        except expected as error:
            await asyncio.sleep(supervision.failed(error, (expected,)))
        else:
            return
