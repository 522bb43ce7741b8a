"""A network between us and PostgreSQL that hangs up at the end of a transaction, before or after it got through."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import make_url

When = Literal["before", "after"]
IDLE = b"I"  # ReadyForQuery's word for a connection outside of any transaction
ENDS = (b"COMMIT", b"ROLLBACK")
PATIENCE_SECONDS = 30


@dataclass
class HangUp:
    """The end to hang up on: the first of a transaction with a statement in which `fragment` stands."""

    fragment: str
    when: When
    happened: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """A TCP port that leads to the server, speaking its protocol well enough to know an end (PostgreSQL manual, 54).

    That is COMMIT or ROLLBACK, and outside of a transaction the end of any statement.
    """

    def __init__(self, database_url: str) -> None:
        url = make_url(database_url)
        self._server = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        query = {"sslmode": "disable", "gssencmode": "disable"}
        port = self._listener.getsockname()[1]
        self.url = url.set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)
        self.wanted: HangUp | None = None
        self._connections: list[_Connection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._connections.append(_Connection(self, client, server))

    @contextmanager
    def hanging_up(self, fragment: str, when: When) -> Iterator[None]:
        """Hang up once in the block. It fails if there was nothing to hang up on."""
        self.wanted = wanted = HangUp(fragment, when)
        yield
        assert wanted.happened.wait(PATIENCE_SECONDS), f"no transaction had {fragment!r}"

    def close(self) -> None:
        self._listener.close()
        for each in self._connections:
            each.hang_up()


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._prepared: dict[bytes, bytes] = {}
        self._statements: list[bytes] = []
        self._status = IDLE
        self._last: HangUp | None = None
        for pump in (self._from_client, self._from_server):
            threading.Thread(target=self._until_closed, args=(pump,), daemon=True).start()

    def _until_closed(self, pump: Callable[[], None]) -> None:
        with suppress(OSError, EOFError):
            pump()
        self.hang_up()

    def hang_up(self) -> None:
        for each in (self._client, self._server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _from_client(self) -> None:
        length = _read(self._client, 4)
        self._server.sendall(length + _read(self._client, struct.unpack("!I", length)[0] - 4))
        while True:
            kind, body = _message(self._client)
            if self._is_end(kind, body):
                self._last = self._chosen()
                self._statements.clear()
                if self._last and self._last.when == "before":
                    self._last.happened.set()
                    return
            self._server.sendall(_written(kind, body))

    def _chosen(self) -> HangUp | None:
        """Return the wanted hang-up, if it is meant for the transaction that ends here."""
        wanted = self._proxy.wanted
        if wanted is None or not any(wanted.fragment.encode() in each for each in self._statements):
            return None
        self._proxy.wanted = None
        return wanted

    def _is_end(self, kind: bytes, body: bytes) -> bool:
        """Take notice of what is said; whether it ends a transaction."""
        if kind == b"P":
            name, sql = body.split(b"\0")[:2]
            self._prepared[name] = sql
        elif kind == b"B":
            self._statements.append(self._prepared[body.split(b"\0")[1]])
        elif kind == b"Q":
            self._statements.append(body)
        return (kind == b"Q" and body.startswith(ENDS)) or (kind == b"S" and self._status == IDLE)

    def _from_server(self) -> None:
        while True:
            kind, body = _message(self._server)
            if kind == b"Z":
                self._status = body
            if self._last is None:
                self._client.sendall(_written(kind, body))
            elif kind == b"Z":
                self._last.happened.set()
                return


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    kind, length = _read(source, 1), _read(source, 4)
    return kind, _read(source, struct.unpack("!I", length)[0] - 4)


def _written(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _read(source: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises EOFError."""
    read = bytearray()
    while len(read) < size:
        piece = source.recv(size - len(read))
        if not piece:
            raise EOFError
        read += piece
    return bytes(read)
