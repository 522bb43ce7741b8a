"""What has changed elsewhere, as the database tells it (LISTEN/NOTIFY): so what a process remembers is not old.

Triggers tell of every change of a row that processes remember, whoever made it. Each process listens on a connection of
its own; while that is lost it remembers for seconds only, and when it is back it forgets all that it knew.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import psycopg
import structlog
from flask import Flask, current_app
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from kernel.base.slots import Slot
from kernel.database.db import ENGINE

CHANNEL = "cordillera_changes"
ASKED_AFTER_SECONDS = 30.0
"""A connection on which there was no notice for this long is asked whether it lives."""
TRIES_AGAIN_SECONDS = 1.0
KEPT_SECONDS = 300.0
KEPT_UNHEARD_SECONDS = 5.0
MOST_KEPT = 10_000

V = TypeVar("V")
log = structlog.get_logger(__name__)


@dataclass
class Notices:
    """The listener of one process, and who wants to know."""

    engine: Engine
    memories: list[InvalidatedCache[object]] = field(default_factory=list)
    is_heard: bool = False
    _process: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _connection: psycopg.Connection | None = None
    _is_told: bool = False
    """Whether the log knows already: an outage is one line, not one for each attempt."""

    def __post_init__(self) -> None:
        event.listen(self.engine, "engine_disposed", lambda _: self._end())

    def listen(self) -> None:
        """Begin to listen, in this process once: the one that a server forks from must not."""
        with self._lock:
            if self._process == os.getpid():
                return
            self._process, self.is_heard = os.getpid(), False
        threading.Thread(target=self._keep_listening, name="notices", daemon=True).start()

    def _keep_listening(self) -> None:
        while not self._ended.is_set():
            try:
                self._hear()
            except (psycopg.Error, DBAPIError) as error:
                if not (self._ended.is_set() or self._is_told):
                    log.warning("changes are not heard", cause=type(error).__name__)
                    self._is_told = True
            finally:
                self.is_heard = False
            self._ended.wait(TRIES_AGAIN_SECONDS)

    def _end(self) -> None:
        self._ended.set()
        if self._connection is not None:
            self._connection.close()

    def _hear(self) -> None:
        borrowed = self.engine.raw_connection()
        connection = cast(psycopg.Connection, borrowed.driver_connection)
        borrowed.detach()
        with connection:
            self._connection = connection
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            # What changed while nobody listened is not told again.
            self._tell("", "")
            self.is_heard, self._is_told = True, False
            while True:
                for notice in connection.notifies(timeout=ASKED_AFTER_SECONDS):
                    table, _, key = notice.payload.partition(":")
                    self._tell(table, key)
                connection.execute("SELECT 1")

    def _tell(self, table: str, key: str) -> None:
        for memory in self.memories:
            memory.hear(table, key)


class InvalidatedCache(Generic[V]):
    """What this process remembers of the rows of a table, by their keys."""

    def __init__(self, notices: Notices, table: str, contains: tuple[str, ...] = ()) -> None:
        self._notices, self._table, self._contains = notices, table, contains
        self._kept: dict[str, tuple[float, V]] = {}
        self.changes = 0
        """What was read before it moved on may be old already, and is not kept."""

    def get(self, key: str) -> V | None:
        """What is remembered of the row, if it is fresh enough."""
        found = self._kept.get(key)
        kept_for = KEPT_SECONDS if self._notices.is_heard else KEPT_UNHEARD_SECONDS
        return found[1] if found and time.monotonic() - found[0] < kept_for else None

    def keep(self, key: str, value: V, changes: int) -> None:
        """Remember what was read when `changes` was this."""
        if changes != self.changes:
            return
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = time.monotonic(), value

    def forget(self, key: str) -> None:
        """Read the row again when it is next asked for."""
        self.changes += 1
        self._kept.pop(key, None)

    def hear(self, table: str, key: str) -> None:
        """A row has changed. Without a table: anything may have."""
        if table == self._table:
            self.forget(key)
        elif not table or table in self._contains:
            self.changes += 1
            self._kept.clear()


CHANGE_FEED: Slot[Notices] = Slot("change_feed")


def memory(app: Flask, table: str, contains: tuple[str, ...] = ()) -> InvalidatedCache[V]:
    """What the application's process remembers of a table. contains: other tables that a value holds something of."""
    notices = CHANGE_FEED.of(app)
    made: InvalidatedCache[V] = InvalidatedCache(notices, table, contains)
    notices.memories.append(cast("InvalidatedCache[object]", made))
    return made


def hear_changes() -> None:
    """Listen from the first request of this process on: every door that a request comes in by calls this.

    Tests, which have an application each, listen when they want it.
    """
    notices = CHANGE_FEED()
    if notices._process != os.getpid() and not current_app.testing:
        notices.listen()


def install_notices(app: Flask) -> None:
    """Have the application hear what changes."""
    CHANGE_FEED.fill(app, Notices(ENGINE.of(app)))
    app.before_request(hear_changes)
