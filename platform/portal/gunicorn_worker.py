"""A gunicorn worker that shares connections with the others, and whose threads stay with one while it is used."""

from __future__ import annotations

import select
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

WAITS_MS = 5
GIVES_WAY_SECONDS = 0.0001


class StayingThreadWorker(ThreadWorker):
    """gthread, but for two things that cost more under load than the smallest answers do.

    It hands a connection back to its main thread after each answer and takes it from there for the next request, which
    is two switches of threads. Here a thread waits a moment for the next request of its connection, unless another
    connection waits for a thread. And of connections that come at once the first worker to wake takes all, so that its
    threads wait for one another while the other workers are idle. Here who has more in hand gives way.
    """

    def accept(self, listener: Any) -> None:
        """Take a connection, if no worker that has less to do has taken it."""
        if busy := self._busy():
            time.sleep(GIVES_WAY_SECONDS * min(busy, self.cfg.threads))
        super().accept(listener)

    def handle(self, conn: TConn) -> Any:
        """Answer the requests of the connection; what the main thread is to do with it then."""
        kept = super().handle(conn)
        while kept is True and self.alive and self._busy() <= self.cfg.threads and _has_more(conn):
            kept = super().handle(conn)
        return kept

    def _busy(self) -> int:
        """The connections that have a thread or wait for one."""
        return int(self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns))


def _has_more(conn: TConn) -> bool:
    asked = select.poll()
    asked.register(conn.sock, select.POLLIN)
    return bool(asked.poll(WAITS_MS))
