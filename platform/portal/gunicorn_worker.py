"""A gunicorn worker that shares connections with the others, and whose threads wait for nobody who has yet to ask."""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket
import sys
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any

from flask import Flask
from gunicorn import util
from gunicorn.workers import gthread
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from kernel.base.errors import Problem
from kernel.base.settings import Settings
from kernel.outside.bulkheads import Bulkhead
from portal.gunicorn_clients import HEAD_BYTES, ClientSocket, has_arrived
from portal.gunicorn_refusals import problem_of, told_by
from portal.gunicorn_requests import CheckedRequest
from portal.handover import line_to_keeper, say_ready
from portal.local.children import die_with_parent

WAITS_SECONDS = 0.005
GIVES_WAY_SECONDS = 0.0001
RESTS_SECONDS = 0.1
ARRIVAL_SECONDS = 20
"""The time that a request may take to arrive, or as much of it as it needs to get a thread."""
LINGERS_SECONDS = 2.0
UNREAD_BYTES = 64 * 1024
ORPHANED_SECONDS = 300
"""The time for which orphans answer where no next master comes. One takes three seconds to start, or sixty where
others need the processor too.
"""
NOBODY_CAME = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)


class StayingThreadWorker(ThreadWorker):
    """gthread, but for what costs more under load than the smallest answers do, and for whom it waits.

    It hands a connection back to its main thread after each answer and takes it from there for the next request, which
    is two switches of threads. Here a thread waits a moment for the next request of its connection, unless another
    connection waits for a thread. And of connections that come at once the first worker to wake takes all, so that its
    threads wait for one another while the other workers are idle. Here who has more in hand gives way. Its threads wait
    for requests that are still coming, and its main thread for clients to hang up; here the poller does both.
    """

    alive: bool

    def __init__(self, *given: Any, **named: Any) -> None:
        self._in_hand: set[TConn] = set()
        """The connections that have a thread or wait for one; only the main thread changes it."""
        self._lingering: deque[TConn] = deque()
        """Those that are answered, and whose clients have not hung up yet."""
        self._orphaned_at = 0.0
        self._is_relieved = False
        super().__init__(*given, **named)
        percent = int(os.environ.get("CORDILLERA_SLOW_CLIENT_PERCENT", Settings.slow_client_percent))
        places = max(1, self.cfg.threads * percent // 100)
        self._slow = Bulkhead(places, of_a_kind=places + 1, for_one=places + 1)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            log.error("TLS is the affair of the proxy in front (docs/operations.md): leave the certificate out here")
            sys.exit(1)

    @property
    def nr_conns(self) -> int:
        """The number of connections there are, by looking."""
        return len(self._in_hand) + len(self.keepalived_conns) + len(self.pending_conns) + len(self._lingering)

    @nr_conns.setter
    def nr_conns(self, _: int) -> None:
        """Pass over gunicorn's counting: it takes a connection off twice whose answer broke off."""

    @property
    def outlives_master(self) -> bool:
        """Whether it was handed its listening socket down: then it answers until a worker of the next master does."""
        return any(isinstance(address, int) for address in self.cfg.address)

    def init_signals(self) -> None:
        super().init_signals()
        if not self.outlives_master:
            die_with_parent()
            if self.ppid != os.getppid():
                sys.exit()

    def handle_exit(self, sig: int, frame: Any) -> None:
        if not self.booted:
            # The next master may need the address that this one would hold until it has loaded the application.
            sys.exit()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        line = line_to_keeper()
        if line is not None:
            self.poller.register(line, selectors.EVENT_READ, self._note_relief)
            say_ready(line)
        super().run()

    def _note_relief(self, line: socket.socket) -> None:
        """Note that workers of a later master serve, or that nobody is left to start one."""
        self.poller.unregister(line)
        self._is_relieved = True

    def is_parent_alive(self) -> bool:
        if self.ppid == os.getppid():
            return True
        self._orphaned_at = self._orphaned_at or time.monotonic()
        is_needed = self.outlives_master and not self._is_relieved
        return is_needed and time.monotonic() - self._orphaned_at < ORPHANED_SECONDS

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not (self.alive and self.is_parent_alive()):
            self.alive = False
            # The next master needs the address, and those who are still answered do not.
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: Any) -> None:
        """Take a connection, if no worker that has less to do has taken it."""
        if self._in_hand:
            time.sleep(GIVES_WAY_SECONDS * min(len(self._in_hand), self.cfg.threads))
        try:
            accepted, client = listener.accept()
        except OSError as error:
            # accept(2): what went wrong with one connection, or lacks for the next, must not end those there are.
            if error.errno not in NOBODY_CAME:
                self.log.error("A connection could not be accepted: %s", error)
                time.sleep(RESTS_SECONDS)
            return
        conn = TConn(self.cfg, ClientSocket(accepted, self._slow), client, listener.getsockname())
        conn.arrives_until = time.monotonic() + ARRIVAL_SECONDS
        self.enqueue_req(conn)

    def enqueue_req(self, conn: TConn) -> None:
        self._in_hand.add(conn)
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        self._in_hand.discard(conn)
        if fs.cancelled() or fs.exception() or not fs.result():
            self._hang_up(conn)
        elif fs.result() is _DEFER:
            self._wait_for_more(conn)
        else:
            super().finish_request(conn, fs)

    def _wait_for_more(self, conn: TConn) -> None:
        """Leave the rest of a request to the poller; also while stopping, for a client that is at its request."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else gthread.STOP_KEEPALIVE_LINGER)
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _hang_up(self, conn: TConn) -> None:
        """RFC 9112 9.6: close our half, and the rest once the client has closed its own, or after a while."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._pass_over, conn))
        except (OSError, ValueError, KeyError):
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGERS_SECONDS
        self._lingering.append(conn)

    def _pass_over(self, conn: TConn, client: ClientSocket) -> None:
        """Read what a client still sends that has its answer."""
        try:
            gone = client.take_in() == b""
        except OSError:
            gone = True
        if gone:
            self._lingering.remove(conn)
            self._close(conn)

    def murder_pending(self) -> None:
        super().murder_pending()
        while self._lingering and self._lingering[0].timeout <= time.monotonic():
            self._close(self._lingering.popleft())

    def _close(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        conn.close()

    def handle(self, conn: TConn) -> Any:
        """Answer the requests of the connection that are here; what the main thread is to do with it then."""
        result: Any = _DEFER
        try:
            while self._take_in(conn, may_wait=result is not _DEFER or not conn.initialized):
                result = super().handle(conn)
                conn.sock.rest()
                if result is not True or not self.alive:
                    return result
        except OSError as error:
            self.log.debug("Ignoring a connection that is lost: %s", error)
            return False
        if result is True and not conn.parser.unreader.buf.tell():
            return True
        return _DEFER if time.monotonic() < conn.arrives_until else False

    def _take_in(self, conn: TConn, *, may_wait: bool) -> bool:
        """Take in what has come of the next request; whether that is enough to answer it."""
        conn.init()
        conn.parser.mesg_class = CheckedRequest
        conn.data_ready = True
        buffer = conn.parser.unreader.buf
        buffer.seek(0, os.SEEK_END)
        come = buffer.getvalue()
        while not has_arrived(come):
            if may_wait and len(self._in_hand) <= self.cfg.threads:
                conn.sock.is_ready(select.POLLIN, WAITS_SECONDS)
            may_wait = False
            data = conn.sock.take_in()
            if data is None:
                return False
            if not data:
                break
            if not come:
                conn.arrives_until = time.monotonic() + ARRIVAL_SECONDS
            buffer.write(data)
            come = buffer.getvalue()
        conn.sock.begin(come[:HEAD_BYTES])
        return True

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Whether the connection can be used again: not where its body was left unread and is still to come."""
        conn.sock.may_wait = False
        try:
            return keepalive and bool(conn.parser.finish_body(max_bytes=UNREAD_BYTES))
        except Problem:
            # It has its answer: another one would be taken for that of the next request.
            return False

    def handle_error(self, req: Any, client: ClientSocket, addr: Any, exc: Exception) -> None:
        """Have the application say what is wrong, as it says everything else."""
        problem = problem_of(exc)
        if problem.status >= 500 and problem is not exc:
            self.log.exception("Error handling request")
        try:
            if isinstance(self.wsgi, Flask):
                util.write_nonblock(client, told_by(self.wsgi, problem, client.head))
                return
        except Exception:
            self.log.exception("A refusal could not be told")
        super().handle_error(req, client, addr, exc)
