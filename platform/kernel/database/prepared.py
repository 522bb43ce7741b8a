"""Prepared statements, for reads and writes of every request: compiled once, prepared, answered in one round trip.

It goes past SQLAlchemy's session, whose unit of work and transaction take several round trips and more time than the
database itself. So it is for the hottest reads and writes and for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from flask import g
from sqlalchemy import ARRAY, CTE, JSON, ClauseElement, String
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import NoResultFound, OperationalError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import HasCTE
from sqlalchemy.types import TypeEngine

from kernel.database.direct import Asked, Row, direct_pool
from kernel.database.outage import CommitUnconfirmed, NoAnswer

_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


def _written(kind: TypeEngine[Any]) -> Callable[[Any], str] | None:
    """Writers of values whose type the driver does not know, or takes long to find out."""
    if isinstance(kind, JSON):
        return json.dumps
    return _as_array if isinstance(kind, ARRAY) and isinstance(kind.item_type, String) else None


def _as_array(texts: Iterable[str]) -> str:
    escaped = (text.replace("\\", r"\\").replace('"', r"\"") for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


class Statement:
    """A statement that names its parameters with `bindparam`; what it returns are plain values."""

    def __init__(self, query: ClauseElement) -> None:
        compiled = cast(SQLCompiler, query.compile(dialect=_DIALECT))
        self._sql = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        written = {name: _written(bound.type) for bound, name in compiled.bind_names.items()}
        self._parameters = [(name, written[name]) for name in compiled.positiontup or ()]

    def _values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The values of $1, $2, …."""
        given = {**self._constants, **parameters}
        return [
            write(value) if (value := given[name]) is not None and write else value for name, write in self._parameters
        ]

    def _asked(self, parameters: Mapping[str, Any]) -> Asked:
        return self._sql, self._values(parameters)


def _read(statement: Asked, *, is_second: bool = False) -> Row | None:
    """Raises OperationalError. is_second: another connection was lost a moment ago, so none is believed to live."""
    try:
        with direct_pool().one(is_read=not is_second) as connection:
            return connection.run(statement)
    except psycopg.OperationalError as error:
        raise OperationalError(statement[0], None, error) from error


def _change(*statements: Asked) -> Row | None:
    """Raises OperationalError; CommitUnconfirmed where the connection is lost before the answer."""
    try:
        with direct_pool().one() as connection:
            return connection.run(*statements)
    except psycopg.OperationalError as error:
        # What the server refuses has a code, and is not done.
        if error.sqlstate is None:
            raise CommitUnconfirmed(error) from error
        raise OperationalError(statements[-1][0], None, error) from error


class PreparedQuery(Statement):
    """A read of at most one row, outside of any transaction: it does not see what this one has not committed."""

    def __call__(self, **parameters: Any) -> Row | None:
        """The row's values in the order of the query's columns."""
        try:
            return _read(self._asked(parameters))
        except OperationalError as error:
            if isinstance(error.orig, NoAnswer):
                raise
            # Perhaps only this connection was lost. A read may be made twice.
            return _read(self._asked(parameters), is_second=True)

    def one(self, **parameters: Any) -> Row:
        """Return the row of a query that always has one."""
        row = self(**parameters)
        if row is None:
            raise NoResultFound
        return row


class PreparedWrite(Statement):
    """A change that commits itself, or is part of the action that makes it, if one does.

    record: the part of it that writes the audit's record (`audit.record_of`), so that neither is without the other. A
    row that the statement returns says that there is one.
    """

    def __init__(self, query: ClauseElement, *, record: CTE | None = None) -> None:
        super().__init__(query if record is None else cast(HasCTE, query).add_cte(record))
        self._records = record is not None

    def alone(self, **parameters: Any) -> Row | None:
        """The first row that the statement returns, which stays even if the action around it fails."""
        return _change(self._asked(parameters))

    def __call__(self, **parameters: Any) -> Row | None:
        """The first row that the statement returns."""
        if "work" not in g:
            return _change(*_taken_along(), self._asked(parameters))
        session = g.work.session
        session.flush()
        connection = cast(psycopg.Connection, session.connection().connection.driver_connection)
        cursor = psycopg.RawCursor(connection).execute(self._sql, self._values(parameters))
        row = cursor.fetchone() if cursor.description else None
        if self._records and row is not None:
            session.info["recorded"] = True
        return row

    def soon(self, **parameters: Any) -> None:
        """Make the change along with the next one where changes are made `together`, at once elsewhere."""
        if "soon" in g and "work" not in g:
            g.soon.append(self._asked(parameters))
        else:
            self(**parameters)


@contextmanager
def together() -> Iterator[None]:
    """Let what is changed `soon` commit with the change that follows, or at the end; an exception drops it.

    An action does not take it along: it may fail, and what was to be done before it is to stay.
    """
    g.soon = []
    try:
        yield
        if waiting := _taken_along():
            _change(*waiting)
    finally:
        g.pop("soon")


def _taken_along() -> Sequence[Asked]:
    """Take the statements that waited for the change that is made now."""
    if "soon" not in g:
        return ()
    taken, g.soon = g.soon, []
    return cast(Sequence[Asked], taken)
