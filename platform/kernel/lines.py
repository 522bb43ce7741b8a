"""Connections for single statements: each statement commits itself, and is prepared once a connection.

They talk to libpq past the driver's cursors, whose own work for a statement of one row takes longer than the database
does; what a value looks like on the wire stays the driver's affair.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from flask import current_app
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from sqlalchemy import Engine, event

from kernel.db import engine, is_usable

Row = tuple[Any, ...]
BELIEVED_SECONDS = 1.0
GIVES_ROWS, GIVES_NONE = pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK


class Line:
    """A connection of one thread at a time, with what was prepared on it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.free_since = 0.0
        self._prepared: dict[str, _Prepared] = {}

    def run(self, sql: str, values: Sequence[Any]) -> Row | None:
        """The first row of a statement with the values of $1, $2, …. Raises psycopg.Error."""
        prepared = self._prepared.get(sql)
        if prepared is None:
            prepared = _Prepared(self.connection, b"line_%d" % len(self._prepared), sql)
            self._prepared[sql] = prepared
        return prepared.run(values)


class _Prepared:
    def __init__(self, connection: psycopg.Connection, name: bytes, sql: str) -> None:
        self._pgconn, self._name = connection.pgconn, name
        self._check(self._pgconn.prepare(name, sql.encode()))
        # One each: it remembers how the columns of its result are read.
        self._transformer = Transformer(connection)
        self._knows_columns = False

    def run(self, values: Sequence[Any]) -> Row | None:
        # As text, so that the server decides what type a parameter has; results come in binary, which is read faster.
        sent = self._transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        result = self._pgconn.exec_prepared(self._name, sent, None, pq.Format.BINARY)  # type: ignore[arg-type]  # None is NULL
        self._check(result)
        if not result.ntuples:
            return None
        self._transformer.set_pgresult(result, set_loaders=not self._knows_columns)
        self._knows_columns = True
        return self._transformer.load_row(0, tuple)

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in (GIVES_ROWS, GIVES_NONE):
            return
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        raise psycopg.errors.error_from_result(result)


class Lines:
    """As many connections as are needed at once, kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: deque[Line] = deque()
        event.listen(engine, "engine_disposed", lambda _: self.close())

    @contextmanager
    def one(self, *, is_read: bool = False) -> Iterator[Line]:
        """A line that lives; one that was used a moment ago is believed to, for a read. What fails on it is not used
        again.
        """
        line = self._living(BELIEVED_SECONDS if is_read else 0) or self._connect()
        try:
            yield line
        except psycopg.Error:
            line.connection.close()
            raise
        finally:
            if not line.connection.closed:
                line.free_since = time.monotonic()
                self._free.append(line)

    def _living(self, believed_seconds: float) -> Line | None:
        while True:
            try:
                line = self._free.pop()
            except IndexError:
                return None
            if time.monotonic() - line.free_since < believed_seconds or is_usable(line.connection, line.free_since):
                return line
            line.connection.close()

    def _connect(self) -> Line:
        borrowed = self._engine.raw_connection()
        connection = cast(psycopg.Connection, borrowed.driver_connection)
        borrowed.detach()
        connection.autocommit = True
        return Line(connection)

    def close(self) -> None:
        while self._free:
            self._free.pop().connection.close()


def lines() -> Lines:
    """Those of this process."""
    found: Lines | None = current_app.extensions.get("cordillera.lines")
    if found is None:
        found = current_app.extensions.setdefault("cordillera.lines", Lines(engine()))
    return found
