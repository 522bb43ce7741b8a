"""A database that is away, does not answer, or has not said whether a commit got through: how each of them looks."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import PQGen
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    PendingRollbackError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

ANSWER_SECONDS = 35.0
"""The longest wait for an answer. It is longer than the server lets a statement run, so only one that is frozen, or cut
off without a word, takes as long.
"""
POLL_SECONDS = 0.1  # psycopg's own
AWAY = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    PendingRollbackError,
    DisconnectionError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
READ_ONLY = "25006"
"""SQLSTATE of a write where only reads are possible: a replica that has not taken over yet."""


class CommitUnconfirmed(OperationalError):
    """The connection was lost while a commit was under way: it got through, or it did not.

    Nothing that the change may refer to is to be thrown away, and nothing done again that must not happen twice.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__("COMMIT", None, cause, connection_invalidated=True)


class NoAnswer(psycopg.OperationalError):
    """The server holds the connection and says nothing."""

    def __init__(self) -> None:
        super().__init__(f"the database has not answered for {ANSWER_SECONDS:.0f} s")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no answer is waited for without end: a server that is frozen never refuses."""

    def wait(self, gen: PQGen[Any], interval: float = POLL_SECONDS, timeout: float | None = None) -> Any:
        """Take an answer as it comes. Without a `timeout` of the caller's, what does not come closes the connection."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_SECONDS)
        except psycopg.errors._WaitTimeout as error:  # it has no public name
            self.pgconn.finish()
            raise NoAnswer from error


def is_away(error: BaseException) -> bool:
    """Whether it means that the database cannot be used just now, rather than that it was used wrongly."""
    if isinstance(error, AWAY):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == READ_ONLY
    # The pool's word for connections that are lost as fast as they are made.
    return type(error) is InvalidRequestError and str(error) == "This connection is closed"
