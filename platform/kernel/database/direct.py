"""Connections for statements that commit themselves, alone or a few at once; each is prepared once a connection.

They talk to libpq past the driver's cursors, whose own work for a statement of one row takes longer than the database
does; what a value looks like on the wire stays the driver's affair.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from sqlalchemy import Engine, event

from kernel.base.slots import Slot
from kernel.database import outage
from kernel.database.db import engine, is_usable

Row = tuple[Any, ...]
Asked = tuple[str, Sequence[Any]]
"""A statement, and the values of its $1, $2, …."""
BELIEVED_SECONDS = 1.0
GIVES_ROWS, GIVES_NONE = pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK


class DirectConnection:
    """A connection of one thread at a time, with what was prepared on it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.free_since = 0.0
        self._prepared: dict[str, _Prepared] = {}

    def run(self, *statements: Asked) -> Row | None:
        """The first row of the last of the statements, all in one transaction and one round trip. Raises psycopg.Error,
        and then nothing has been done.
        """
        prepared = [self._prepare(sql) for sql, _ in statements]
        if len(statements) == 1:
            return prepared[0].run(statements[0][1])
        return self._run_together(prepared, [values for _, values in statements])

    def _prepare(self, sql: str) -> _Prepared:
        prepared = self._prepared.get(sql)
        if prepared is None:
            prepared = _Prepared(self.connection, b"line_%d" % len(self._prepared), sql)
            self._prepared[sql] = prepared
        return prepared

    def _run_together(self, prepared: Sequence[_Prepared], values: Sequence[Sequence[Any]]) -> Row | None:
        """libpq's pipeline: what is sent before one sync is one transaction."""
        pgconn, sent = self.connection.pgconn, [each.sent(given) for each, given in zip(prepared, values, strict=True)]
        pgconn.enter_pipeline_mode()
        for statement, written in zip(prepared, sent, strict=True):
            pgconn.send_query_prepared(statement.name, written, None, pq.Format.BINARY)
        pgconn.pipeline_sync()
        _send_all(pgconn)
        # All are taken in, the sync's too, before a row is read: the connection is of no use in between.
        results = list(_results(pgconn))
        pgconn.exit_pipeline_mode()
        return [statement.first_row(result) for statement, result in zip(prepared, results, strict=False)][-1]


def _results(pgconn: pq.abc.PGconn) -> Iterator[pq.abc.PGresult]:
    """One of each statement, up to the sync. Raises psycopg.OperationalError where the connection is lost before it."""
    while True:
        result = _next_result(pgconn)
        if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
            return
        if result is not None:
            yield result
        elif pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(pgconn.get_error_message())


def _send_all(pgconn: pq.abc.PGconn) -> None:
    """Raises psycopg.OperationalError where the server takes nothing."""
    while pgconn.flush():
        _wait(pgconn, select.POLLIN | select.POLLOUT)
        pgconn.consume_input()


def _next_result(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    """Return the next result; None after the last of a statement. Raises psycopg.OperationalError where nothing
    comes.
    """
    while pgconn.is_busy():
        _wait(pgconn, select.POLLIN)
        pgconn.consume_input()
    return pgconn.get_result()


def _wait(pgconn: pq.abc.PGconn, events: int) -> None:
    """Wait for the server, but not without end: one that is frozen never refuses."""
    waiting = select.poll()
    waiting.register(pgconn.socket, events)
    if not waiting.poll(outage.ANSWER_SECONDS * 1000):
        pgconn.finish()
        raise outage.NoAnswer


class _Prepared:
    def __init__(self, connection: psycopg.Connection, name: bytes, sql: str) -> None:
        self._pgconn, self.name = connection.pgconn, name
        self._pgconn.send_prepare(name, sql.encode())
        self._check(self._result())
        # One each: it remembers how the columns of its result are read.
        self._transformer = Transformer(connection)
        self._knows_columns = False

    def run(self, values: Sequence[Any]) -> Row | None:
        self._pgconn.send_query_prepared(self.name, self.sent(values), None, pq.Format.BINARY)
        return self.first_row(self._result())

    def _result(self) -> pq.abc.PGresult:
        """The one result of what was sent."""
        _send_all(self._pgconn)
        result = _next_result(self._pgconn)
        if result is None:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        while _next_result(self._pgconn) is not None:
            pass
        return result

    def sent(self, values: Sequence[Any]) -> Any:  # the library does not say that None is NULL
        """The values as the server reads them. Raises psycopg.Error."""
        # As text, so that the server decides what type a parameter has; results come in binary, which is read faster.
        return self._transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))

    def first_row(self, result: pq.abc.PGresult) -> Row | None:
        """Raises psycopg.Error for what is not the result of a statement that was done."""
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


class DirectPool:
    """As many connections as are needed at once, kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: deque[DirectConnection] = deque()
        event.listen(engine, "engine_disposed", lambda _: self.close())

    @contextmanager
    def one(self, *, is_read: bool = False) -> Iterator[DirectConnection]:
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

    def _living(self, believed_seconds: float) -> DirectConnection | None:
        while True:
            try:
                line = self._free.pop()
            except IndexError:
                return None
            if time.monotonic() - line.free_since < believed_seconds or is_usable(line.connection, line.free_since):
                return line
            line.connection.close()

    def _connect(self) -> DirectConnection:
        borrowed = self._engine.raw_connection()
        connection = cast(psycopg.Connection, borrowed.driver_connection)
        borrowed.detach()
        connection.autocommit = True
        return DirectConnection(connection)

    def close(self) -> None:
        while self._free:
            self._free.pop().connection.close()


DIRECT_POOL: Slot[DirectPool] = Slot("direct_pool", lambda: DirectPool(engine()))


def direct_pool() -> DirectPool:
    """Those of this process."""
    return DIRECT_POOL()
