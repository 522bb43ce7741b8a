"""Clients' connections: no thread waits for a request to arrive, and few for slow bodies and slow readers.

A request gets a thread once its head and its body, or the first part of a long one, are here. What a thread still waits
for, while it reads a long body or sends an answer, it waits for a moment; then, in one of few places, for as long as
the client keeps to a lowest rate.
"""

from __future__ import annotations

import errno
import re
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from kernel.base.errors import Problem, _
from kernel.outside.bulkheads import Bulkhead, Place, Saturated

WHOLE_BYTES = 64 * 1024
"""Of a request that long all has arrived before it gets a thread."""
TAKES_BYTES = 8 * 1024
HEAD_BYTES = 16 * 1024
"""Beyond it the parser says what is wrong."""
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n")


class TooSlow(Problem):
    kind = "too-slow"
    status = 408
    title = _("The request came too slowly")
    explanation = _("The body of the request came at less than 16 kB a second for longer than ten seconds.")
    remedy = _("Try again over a faster connection.")
    oauth_error = "invalid_request"


class TooManySlow(Saturated):
    kind = "too-many-slow-clients"
    title = _("Too many requests are coming slowly at the moment")
    explanation = _("There is no more room for requests that come slowly. Nothing was stored.")


@dataclass
class Patience:
    """The time for which a client is waited for: some seconds, which each byte that it gives or takes brings back."""

    most: float
    bytes_per_second: int
    left: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.most

    def moved(self, size: int) -> None:
        self.left = min(self.most, self.left + size / self.bytes_per_second)


SHORT = (0.1, 128 * 1024)
"""For a thread without a place: clients that are faster never need one."""
LONG = (10.0, 16 * 1024)
"""For a thread with a place."""


class ClientSocket(socket.socket):
    """A client's connection. What gunicorn reads from it and writes to it without a timeout waits within limits."""

    def __init__(self, accepted: socket.socket, slow: Bulkhead) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._slow = slow
        self._place: Place | None = None
        self._patience: tuple[Patience, Patience] | None = None
        """Without a place and with one; None for a client that has not been waited for."""
        self.head = b""
        """The start of the request that is being answered."""
        self.may_wait = True

    def begin(self, head: bytes) -> None:
        """Forget how the request before was waited for."""
        self.head, self.may_wait, self._patience = head, True, None

    def rest(self) -> None:
        """Give the place back that was taken to wait in."""
        place, self._place = self._place, None
        if place is not None:
            place.release()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises TooSlow, TooManySlow."""
        if self.gettimeout() is not None:
            # gunicorn would wait so long for clients to hang up, with a thread.
            return super().recv(size, flags | socket.MSG_DONTWAIT)
        while True:
            try:
                data = super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._wait(select.POLLIN)
            else:
                self._moved(len(data))
                return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Raises BrokenPipeError for a reader that is too slow: the answer is under way, nothing can be told."""
        if self.gettimeout() is not None:
            return super().sendall(data, flags)
        rest = data
        while len(rest):
            try:
                sent = self.send(rest, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._wait_for_reader()
            else:
                self._moved(sent)
                rest = b"" if sent == len(rest) else memoryview(rest)[sent:]
        return None

    def _wait_for_reader(self) -> None:
        try:
            self._wait(select.POLLOUT)
        except Problem as problem:
            raise BrokenPipeError(errno.EPIPE, f"the client reads too slowly: {problem.kind}") from problem

    def _moved(self, size: int) -> None:
        for patience in self._patience or ():
            patience.moved(size)

    def _wait(self, event: int) -> None:
        if not self.may_wait:
            raise TimeoutError
        short, long = self._patience = self._patience or (Patience(*SHORT), Patience(*LONG))
        while True:
            if self._place is None and short.left <= 0:
                self._place = self._take_place()
            seconds = short.left if self._place is None else long.left
            if seconds <= 0:
                raise TooSlow(log="less than the lowest rate")
            started = time.monotonic()
            ready = self.is_ready(event, seconds)
            waited = time.monotonic() - started
            short.left -= waited
            long.left -= waited
            if ready:
                return

    def _take_place(self) -> Place:
        try:
            return self._slow.take("slow client", "")
        except Saturated as full:
            raise TooManySlow(full.log) from full

    def is_ready(self, event: int, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self, event)
        return bool(waiting.poll(max(1, seconds * 1000)))

    def take_in(self) -> bytes | None:
        """Return the bytes that have come by now; empty where the client has closed its half, None where there is
        nothing yet.
        """
        try:
            return super().recv(TAKES_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None


def has_arrived(request: bytes) -> bool:
    """Whether there is enough of a request to give it a thread; also where it can only be refused."""
    end = request.find(b"\r\n\r\n")
    if end < 0:
        return len(request) > HEAD_BYTES or request.count(b"\n") != request.count(b"\r\n")
    head = request[: end + 2].lower()
    if b"\r\ncontent-length:" not in head or b"\r\nexpect:" in head:
        return True
    length = LENGTH.search(head)
    return length is None or len(request) - end - 4 >= min(int(length[1]), WHOLE_BYTES)
