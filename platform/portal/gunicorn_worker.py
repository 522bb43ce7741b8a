"""A gunicorn worker that shares connections with the others, and whose threads stay with one while it is used."""

from __future__ import annotations

import errno
import os
import select
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

WAITS_MS = 5
GIVES_WAY_SECONDS = 0.0001
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
RESTS_SECONDS = 0.1
ORPHANED_SECONDS = 10
"""A master takes three seconds to start, more where others need the processor too."""


class StayingThreadWorker(ThreadWorker):
    """gthread, but for two things that cost more under load than the smallest answers do.

    It hands a connection back to its main thread after each answer and takes it from there for the next request, which
    is two switches of threads. Here a thread waits a moment for the next request of its connection, unless another
    connection waits for a thread. And of connections that come at once the first worker to wake takes all, so that its
    threads wait for one another while the other workers are idle. Here who has more in hand gives way.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        self._in_hand: set[TConn] = set()
        """The connections that have a thread or wait for one; only the main thread changes it."""
        self._orphaned_at = 0.0
        super().__init__(*given, **named)

    @property
    def nr_conns(self) -> int:
        """How many connections there are, by looking."""
        return len(self._in_hand) + len(self.keepalived_conns) + len(self.pending_conns)

    @nr_conns.setter
    def nr_conns(self, _: int) -> None:
        """Pass over gunicorn's counting: it takes a connection off twice whose answer broke off."""

    @property
    def outlives_master(self) -> bool:
        """Whether it was handed its listening socket down: then it answers until the next master does."""
        return any(isinstance(address, int) for address in self.cfg.address)

    def is_parent_alive(self) -> bool:
        if self.ppid == os.getppid():
            return True
        self._orphaned_at = self._orphaned_at or time.monotonic()
        return self.outlives_master and time.monotonic() - self._orphaned_at < ORPHANED_SECONDS

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not (self.alive and self.is_parent_alive()):
            # The next master needs the address, and those who are still answered do not.
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: Any) -> None:
        """Take a connection, if no worker that has less to do has taken it."""
        if self._in_hand:
            time.sleep(GIVES_WAY_SECONDS * min(len(self._in_hand), self.cfg.threads))
        try:
            super().accept(listener)
        except OSError as error:
            # accept(2): what went wrong with one connection, or lacks for the next, must not end those there are.
            self.log.error("A connection could not be accepted: %s", error)
            if error.errno in OUT_OF_FILES:
                time.sleep(RESTS_SECONDS)

    def enqueue_req(self, conn: TConn) -> None:
        self._in_hand.add(conn)
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        self._in_hand.discard(conn)
        super().finish_request(conn, fs)

    def handle(self, conn: TConn) -> Any:
        """Answer the requests of the connection; what the main thread is to do with it then."""
        kept = super().handle(conn)
        while kept is True and self.alive and len(self._in_hand) <= self.cfg.threads and _has_more(conn):
            kept = super().handle(conn)
        return kept


def _has_more(conn: TConn) -> bool:
    asked = select.poll()
    asked.register(conn.sock, select.POLLIN)
    return bool(asked.poll(WAITS_MS))
