"""The sealer: a loop for each log, wherever a worker runs, that seals what the writers left behind. Writers never wait
for it, nor for one another; and no log waits for another one.

Of all the workers one seals a log at a time (`kernel.database.leader`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from flask import Flask, current_app
from flask_babel import LazyString
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.orm import Session

from kernel.base import clock
from kernel.base.slots import Slot
from kernel.database.db import new_session
from kernel.database.leader import leads
from kernel.jobs.loops import Loop
from kernel.recording.metrics import add_figures

EVERY_SECONDS = 0.5
LEADS_SECONDS = 20.0
"""The time that one batch may take before another worker may take the leader's place."""
LATE_SECONDS = 60.0
"""A record that has waited for this long is one that somebody should look after."""
BATCH = 1_000
"""The most records that are sealed at once; fewer where so many take too long."""

SealBatch = Callable[[Session, int], int]


class Unsealed(NamedTuple):
    """Records that wait for the sealer: how many, and when the oldest of them was written."""

    records: int
    oldest_at: datetime | None

    @property
    def seconds(self) -> float:
        """The lag of the seals."""
        return max((clock.now() - self.oldest_at).total_seconds(), 0.0) if self.oldest_at else 0.0

    @property
    def is_late(self) -> bool:
        return self.seconds > LATE_SECONDS


class Seal(NamedTuple):
    """A state of a log: its number, and a SHA-256 digest that all sealed records up to it are in."""

    number: int
    digest: bytes


@dataclass(frozen=True)
class SealedLog:
    """A log whose records are sealed after they were written."""

    name: str
    """For programs: it never changes."""
    title: str | LazyString
    seal_batch: SealBatch
    """Seals one batch of at most so many records in the session's transaction, and says how many they were."""
    unsealed: Callable[[Session], Unsealed]
    seal_of: Callable[[Session, int | None], Seal | None]
    """The seal of a number; the newest one for None."""


def next_batch(size: int, seconds: float) -> int:
    """The number of records to seal at once after so many took so long.

    Where a batch needs longer than a leader may take, the workers would end one another's for ever.
    """
    if seconds > LEADS_SECONDS / 2:
        return max(size // 4, 1)
    return min(size * 2, BATCH) if seconds < LEADS_SECONDS / 8 else size


@dataclass
class _Pace:
    """The number of records that a worker seals at once."""

    size: int = BATCH

    @contextmanager
    def timed(self) -> Iterator[int]:
        """The size of the batch that is sealed meanwhile. One that fails may have been ended for taking too long."""
        started, seconds = time.monotonic(), LEADS_SECONDS
        try:
            yield self.size
            seconds = time.monotonic() - started
        finally:
            self.size = next_batch(self.size, seconds)


def seal_all(app: Flask) -> int:
    """Seal every batch of every log that waits; the number of records sealed. Does nothing where another process seals.

    Raises ExceptionGroup for the logs that could not be sealed, after the others were.
    """
    sealed, failures = 0, list[Exception]()
    for each in sealed_logs(app):
        try:
            sealed += _seal(app, each, _Pace())
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup("not every log could be sealed", failures)
    return sealed


def _seal(app: Flask, sealed_log: SealedLog, pace: _Pace) -> int:
    sealed = 0
    with app.app_context(), new_session() as session:
        while leads(session, f"seal:{sealed_log.name}", LEADS_SECONDS):
            with pace.timed() as size:
                count = sealed_log.seal_batch(session, size)
                session.commit()
            sealed += count
            if count < size:
                break
    return sealed


def sealers(app: Flask) -> list[Loop]:
    """A loop for each log, which seals it twice a second."""
    return [sealer(app, each) for each in sealed_logs(app)]


def sealer(app: Flask, sealed_log: SealedLog) -> Loop:
    """The loop that seals a log."""
    pace = _Pace()
    return Loop(f"sealer:{sealed_log.name}", lambda: _seal(app, sealed_log, pace), every=EVERY_SECONDS)


SEALED_LOGS: Slot[list[SealedLog]] = Slot("sealed_logs")


def sealed_logs(app: Flask) -> list[SealedLog]:
    """List the logs that are sealed in this installation."""
    return SEALED_LOGS.of(app)


def unsealed(session: Session) -> list[tuple[SealedLog, Unsealed]]:
    """The lag of the seals of each log."""
    return [(each, each.unsealed(session)) for each in sealed_logs(current_app)]


def install_sealing(app: Flask, logs: Iterable[SealedLog]) -> None:
    """Name what is sealed, and let `/metrics` tell how far behind it is."""
    SEALED_LOGS.fill(app, list(logs))
    add_figures(app, _figures)


def _figures(session: Session) -> Iterator[GaugeMetricFamily]:
    records = GaugeMetricFamily("cordillera_unsealed_records", "Records that wait for a seal", labels=["log"])
    age = GaugeMetricFamily("cordillera_unsealed_age_seconds", "Age of the oldest of them", labels=["log"])
    for sealed_log, waiting in unsealed(session):
        records.add_metric([sealed_log.name], waiting.records)
        age.add_metric([sealed_log.name], waiting.seconds)
    yield from (records, age)
