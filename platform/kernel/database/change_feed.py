"""The change feed: rows that changed elsewhere, as the database tells it (LISTEN/NOTIFY), so that no process remembers
old ones.

Triggers tell of every change of a row that processes remember, whoever made it. Each process listens on a connection of
its own; while that is lost it remembers for seconds only, and when it is back it forgets all that it knew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import psycopg
from flask import Flask, current_app
from sqlalchemy import Engine, event

from kernel.base.slots import Slot
from kernel.database.db import ENGINE
from kernel.jobs.loops import Loop

CHANNEL = "cordillera_changes"
PROBED_AFTER_SECONDS = 30.0
"""A connection on which there was no notice for this long is asked whether it lives."""
RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 5.0
LIFETIME_SECONDS = 300.0
UNHEARD_LIFETIME_SECONDS = 5.0
MOST_ENTRIES = 10_000

V = TypeVar("V")


@dataclass
class ChangeFeed:
    """The listener of one process, and who wants to know."""

    engine: Engine
    caches: list[InvalidatedCache[object]] = field(default_factory=list)
    is_listening: bool = False
    _loop: Loop = field(init=False)
    _connection: psycopg.Connection | None = None

    def __post_init__(self) -> None:
        self._loop = Loop(
            "change_feed",
            self._listen_once,
            every=RETRY_SECONDS,
            longest_pause=LONGEST_RETRY_SECONDS,
            interrupt=self._hang_up,
        )
        event.listen(self.engine, "engine_disposed", lambda _: self._loop.ask_to_stop())

    @property
    def was_started(self) -> bool:
        return self._loop.runs_here

    def listen(self) -> None:
        """Begin to listen, in this process once."""
        self._loop.start()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _listen_once(self) -> None:
        borrowed = self.engine.raw_connection()
        connection = cast(psycopg.Connection, borrowed.driver_connection)
        borrowed.detach()
        try:
            with connection:
                self._connection = connection
                connection.autocommit = True
                connection.execute(f"LISTEN {CHANNEL}")
                # What changed while nobody listened is not told again.
                self._invalidate("", "")
                self.is_listening = True
                self._hear(connection)
        finally:
            self.is_listening = False

    def _hear(self, connection: psycopg.Connection) -> None:
        while not self._loop.is_stopping:
            self._loop.supervision.succeeded()
            for notice in connection.notifies(timeout=PROBED_AFTER_SECONDS):
                table, _, key = notice.payload.partition(":")
                self._invalidate(table, key)
            connection.execute("SELECT 1")

    def _invalidate(self, table: str, key: str) -> None:
        for invalidated_cache in self.caches:
            invalidated_cache.invalidate(table, key)


class InvalidatedCache(Generic[V]):
    """A cache of the rows of a table by their keys, which forgets a row as soon as it changes."""

    def __init__(self, feed: ChangeFeed, table: str, contains: tuple[str, ...] = ()) -> None:
        self._feed, self._table, self._contains = feed, table, contains
        self._entries: dict[str, tuple[float, V]] = {}
        self.changes = 0
        """The number of changes heard so far; a value that was read before the last one may be old already, and is not
        kept.
        """

    def get(self, key: str) -> V | None:
        """Return the row's value, if there is a fresh one."""
        entry = self._entries.get(key)
        lifetime = LIFETIME_SECONDS if self._feed.is_listening else UNHEARD_LIFETIME_SECONDS
        return entry[1] if entry and time.monotonic() - entry[0] < lifetime else None

    def keep(self, key: str, value: V, changes: int) -> None:
        """Remember what was read when `changes` was this."""
        if changes != self.changes:
            return
        if len(self._entries) >= MOST_ENTRIES:
            self._entries.clear()
        self._entries[key] = time.monotonic(), value

    def forget(self, key: str) -> None:
        """Read the row again when it is next asked for."""
        self.changes += 1
        self._entries.pop(key, None)

    def invalidate(self, table: str, key: str) -> None:
        """A row has changed. Without a table: anything may have."""
        if table == self._table:
            self.forget(key)
        elif not table or table in self._contains:
            self.changes += 1
            self._entries.clear()


CHANGE_FEED: Slot[ChangeFeed] = Slot("change_feed")


def invalidated_cache(app: Flask, table: str, contains: tuple[str, ...] = ()) -> InvalidatedCache[V]:
    """Create a cache of a table's rows for the application's process. contains: other tables that a value holds
    something of.
    """
    feed = CHANGE_FEED.of(app)
    made: InvalidatedCache[V] = InvalidatedCache(feed, table, contains)
    feed.caches.append(cast("InvalidatedCache[object]", made))
    return made


def hear_changes() -> None:
    """Listen from the first request of this process on: it is one of the duties of every request.

    Tests, which have an application each, listen when they want it.
    """
    feed = CHANGE_FEED()
    if not feed.was_started and not current_app.testing:
        feed.listen()


def install_change_feed(app: Flask) -> None:
    """Have the application hear what changes."""
    CHANGE_FEED.fill(app, ChangeFeed(ENGINE.of(app)))
