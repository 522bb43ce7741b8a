"""A provider that writes exactly the octets it is told to, as real ones do that no HTTP library would imitate."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader

OK = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
CLOSE = None
Steps = Sequence[bytes | float | None]
"""Steps of an answer: bytes that are written, seconds in which nothing is, CLOSE."""


@dataclass
class RawProvider:
    """Answers by the last segment of the path; closes a connection on which nothing came for `idle` seconds."""

    answers: Mapping[str, Steps]
    idle: float = 10.0
    closes_when_asked_again: bool = False
    """Close a kept connection just when the next request arrives on it: what a request meets that crosses the close."""
    requests: list[str] = field(default_factory=list)
    """The first lines of what was asked and read."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        return f"localhost:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=[connection], daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(self.idle)
        with connection, connection.makefile("rb") as received:
            try:
                for number, target in enumerate(_targets(received)):
                    if number and self.closes_when_asked_again:
                        return
                    self.requests.append(target)
                    if not self._answer(connection, target):
                        return
            except OSError:
                return

    def _answer(self, connection: socket.socket, target: str) -> bool:
        for step in self.answers.get(target.rsplit("/", 1)[-1].partition("?")[0], OK):
            if step is CLOSE:
                return False
            if isinstance(step, bytes):
                connection.sendall(step)
            else:
                time.sleep(step)
        return True


def _targets(received: BufferedReader) -> Iterator[str]:
    while line := received.readline():
        length = 0
        while header := received.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        received.read(length)
        yield line.split()[1].decode()


@contextmanager
def a_raw_provider(answers: Mapping[str, Steps], **more: bool | float) -> Iterator[RawProvider]:
    """The provider on a port of its own."""
    provider = RawProvider(answers, **more)  # type: ignore[arg-type]
    threading.Thread(target=provider.serve, daemon=True).start()
    try:
        yield provider
    finally:
        provider.listener.shutdown(socket.SHUT_RDWR)
        provider.listener.close()
