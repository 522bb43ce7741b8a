"""Statements as the driver says them to the database: a round trip each, however it came about."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg

from kernel.database.direct import Asked, DirectConnection


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that this process executes in the block; BEGIN and COMMIT, which the driver adds, are not told."""
    statements: list[str] = []
    execute, run = psycopg.Cursor.execute, DirectConnection.run

    def note(cursor: psycopg.Cursor, query: Any, *given: Any, **named: Any) -> Any:
        statements.append(query if isinstance(query, str) else repr(query))
        return execute(cursor, query, *given, **named)

    def note_alone(line: DirectConnection, *asked: Asked) -> Any:
        statements.append("; ".join(sql for sql, _ in asked))
        return run(line, *asked)

    with patch.object(psycopg.Cursor, "execute", note), patch.object(DirectConnection, "run", note_alone):
        yield statements
