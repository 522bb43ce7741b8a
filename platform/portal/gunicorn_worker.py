"""A gunicorn worker whose threads stay with a connection while its client goes on asking."""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

WAITS_MS = 5


class StayingThreadWorker(ThreadWorker):
    """gthread hands a connection back to its main thread after each answer, and takes it from there for the next
    request: two switches of threads, which under load cost more than the smallest answers do. Here a thread waits a
    moment for the next request of its connection, unless another connection waits for a thread.
    """

    def handle(self, conn: TConn) -> Any:
        """Answer the requests of the connection; what the main thread is to do with it then."""
        kept = super().handle(conn)
        while kept is True and self.alive and not self._somebody_waits() and _has_more(conn):
            kept = super().handle(conn)
        return kept

    def _somebody_waits(self) -> bool:
        idle = len(self.keepalived_conns) + len(self.pending_conns)
        return bool(self.nr_conns - idle > self.cfg.threads)


def _has_more(conn: TConn) -> bool:
    asked = select.poll()
    asked.register(conn.sock, select.POLLIN)
    return bool(asked.poll(WAITS_MS))
