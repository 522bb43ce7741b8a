"""What is asked or written with every request: one statement, compiled once, prepared, answered in one round trip.

It goes past SQLAlchemy's session, whose unit of work and transaction take several round trips and more time than the
database itself. So it is for the hottest reads and writes and for nothing else.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from flask import current_app, g
from sqlalchemy import JSON, ClauseElement, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import NoResultFound, OperationalError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import HasCTE

from kernel import audit
from kernel.db import engine, is_usable

Row = tuple[Any, ...]
BELIEVED_SECONDS = 1.0


class Statement:
    """A statement that names its parameters with `bindparam`; what it returns are plain values."""

    def __init__(self, query: ClauseElement) -> None:
        compiled = cast(SQLCompiler, query.compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]
        self._sql = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._as_json = tuple(name for bound, name in compiled.bind_names.items() if isinstance(bound.type, JSON))

    def _run(self, connection: psycopg.Connection, parameters: Mapping[str, Any]) -> Row | None:
        sent = {**self._constants, **parameters}
        for name in self._as_json:
            if sent[name] is not None:
                sent[name] = json.dumps(sent[name])
        cursor = connection.execute(self._sql, sent)
        # `description` would describe each column, which costs more than the row.
        return cursor.fetchone() if cursor.pgresult and cursor.pgresult.nfields else None

    def _run_alone(self, parameters: Mapping[str, Any]) -> Row | None:
        try:
            with _lines().one() as connection:
                return self._run(connection, parameters)
        except psycopg.OperationalError as error:
            raise OperationalError(self._sql, None, error) from error


class Lookup(Statement):
    """A read of at most one row, outside of any transaction: it does not see what this one has not committed."""

    def __call__(self, **parameters: Any) -> Row | None:
        """The row's values in the order of the query's columns."""
        try:
            with _lines().one(is_read=True) as connection:
                return self._run(connection, parameters)
        except psycopg.OperationalError:
            # Perhaps only this connection was lost. A read may be made twice.
            return self._run_alone(parameters)

    def one(self, **parameters: Any) -> Row:
        """The same, of a query that always has a row."""
        found = self(**parameters)
        if found is None:
            raise NoResultFound
        return found


class Change(Statement):
    """A change that commits itself, or is part of the action that makes it, if one does.

    is_recorded: its audit record (`audit.recorded`) is part of the statement, so neither is without the other.
    """

    def __init__(self, query: ClauseElement, *, is_recorded: bool = False) -> None:
        super().__init__(cast(HasCTE, query).add_cte(audit.RECORD_BESIDE) if is_recorded else query)
        self._is_recorded = is_recorded

    def alone(self, **parameters: Any) -> Row | None:
        """The first row that the statement returns, which stays even if the action around it fails."""
        return self._run_alone(parameters)

    def __call__(self, **parameters: Any) -> Row | None:
        """The first row that the statement returns."""
        if "work" not in g:
            return self._run_alone(parameters)
        session = g.work.session
        session.flush()
        if self._is_recorded:
            session.info["recorded"] = True
        return self._run(cast(psycopg.Connection, session.connection().connection.driver_connection), parameters)


class _Lines:
    """Connections on which each statement commits itself; as many as are needed at once, kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: deque[tuple[psycopg.Connection, float]] = deque()
        event.listen(engine, "engine_disposed", lambda _: self.close())

    @contextmanager
    def one(self, *, is_read: bool = False) -> Iterator[psycopg.Connection]:
        """A connection that lives; one that was used a moment ago is believed to, for a read. What fails on it is not
        used again.
        """
        connection = self._living(BELIEVED_SECONDS if is_read else 0) or self._connect()
        try:
            yield connection
        except psycopg.OperationalError:
            connection.close()
            raise
        finally:
            if not connection.closed:
                self._free.append((connection, time.monotonic()))

    def _living(self, believed_seconds: float) -> psycopg.Connection | None:
        while True:
            try:
                connection, free_since = self._free.pop()
            except IndexError:
                return None
            if time.monotonic() - free_since < believed_seconds or is_usable(connection, free_since):
                return connection
            connection.close()

    def _connect(self) -> psycopg.Connection:
        borrowed = self._engine.raw_connection()
        connection = cast(psycopg.Connection, borrowed.driver_connection)
        borrowed.detach()
        connection.autocommit = True
        return connection

    def close(self) -> None:
        while self._free:
            self._free.pop()[0].close()


def _lines() -> _Lines:
    found: _Lines | None = current_app.extensions.get("cordillera.lines")
    if found is None:
        found = current_app.extensions.setdefault("cordillera.lines", _Lines(engine()))
    return found
