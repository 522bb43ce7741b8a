"""The database: the root of the tables, and the session of a request, job or command."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

import psycopg
from flask import Flask, g
from sqlalchemy import ColumnElement, DateTime, Engine, MetaData, Uuid, create_engine, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from kernel.base.ids import new_id
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.database.outage import BoundedConnection, CommitUnconfirmed

T = TypeVar("T")
Column: TypeAlias = ColumnElement[T] | InstrumentedAttribute[T]
"""A column of a table, or an expression that stands for one."""
STATEMENT_TIMEOUT_MS = 30_000
ASKED_AFTER_SECONDS = 30
"""A connection that nobody used for this long is asked whether it lives before it is used again."""


TODAY = text("((now() AT TIME ZONE 'America/Santiago')::date)")
"""The day on which the database writes a row, in Chile: for what the row does not say itself."""


class Base(DeclarativeBase):
    """The root of every table. Times carry their zone, identifiers are UUIDv7."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        list[Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        UUID: Uuid(),
    }
    unaudited: ClassVar[str] = ""
    """Why changes to this table need no audit record, for tables of short-lived state; empty for all others."""


class Identified:
    """A row with an identifier of its own."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


ENGINE: Slot[Engine] = Slot("engine")


class UnrecordedChange(Exception):
    """Rows changed and no audit record was written: a programming error."""


def session() -> Session:
    """This application context's session; opened on first use, closed with the context."""
    if "session" not in g:
        g.session = new_session()
    current: Session = g.session
    return current


def new_session() -> Session:
    """A session of its own, for what must not share the request's transaction; the caller closes it."""
    return RecordedSession(engine(), expire_on_commit=False)


def engine() -> Engine:
    return ENGINE()


class RecordedSession(Session):
    """A session that refuses to commit changed rows without an audit record (`kernel.recording.audit.record`)."""

    def commit(self) -> None:
        """Commit. Raises CommitUnconfirmed where the connection is lost before the server has answered."""
        self.flush()  # what is lost in this has not been committed
        try:
            super().commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise CommitUnconfirmed(error.orig or error) from error
            raise

    def rollback(self) -> None:
        """Roll back. Where the connection is lost, the server does it by itself."""
        with self._no_matter_if_lost():
            super().rollback()

    def close(self) -> None:
        """Close, however the connection fared: whoever is done with it has nothing to lose any more."""
        with self._no_matter_if_lost():
            super().close()

    @contextmanager
    def _no_matter_if_lost(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self.invalidate()


def _note(current: Session, table: type[Any]) -> None:
    if not getattr(table, "unaudited", ""):
        current.info["changed"] = table.__name__


@event.listens_for(RecordedSession, "before_flush")
def _note_rows(current: Session, *_: Any) -> None:
    for row in (*current.new, *current.deleted, *(row for row in current.dirty if current.is_modified(row))):
        _note(current, type(row))


@event.listens_for(RecordedSession, "do_orm_execute")
def _note_statements(state: ORMExecuteState) -> None:
    if (state.is_insert or state.is_update or state.is_delete) and state.bind_mapper is not None:
        _note(state.session, state.bind_mapper.class_)


@event.listens_for(RecordedSession, "before_commit")
def _refuse_unrecorded(current: Session) -> None:
    current.flush()
    if current.info.get("changed") and not current.info.get("recorded"):
        raise UnrecordedChange(f"a change to {current.info['changed']} has no audit record")


@event.listens_for(RecordedSession, "after_transaction_end")
def _forget(current: Session, transaction: Any) -> None:
    if transaction.parent is None:
        current.info.pop("changed", None)
        current.info.pop("recorded", None)


def connect(settings: Settings) -> Engine:
    """The pool of this process. A connection that died is replaced before it is used."""
    made = create_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_timeout=5,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 3,
            # A server that went away without a word is noticed within half a minute, not when TCP gives up.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "application_name": "cordillera",
            "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}",
            # What is asked twice is asked again: the server parses and plans it once a connection.
            "prepare_threshold": 1,
        },
    )
    event.listen(made, "do_connect", lambda _dialect, _record, given, named: BoundedConnection.connect(*given, **named))
    event.listen(made, "checkin", _note_when)
    event.listen(made, "checkout", _refuse_dead)
    return made


def _note_when(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["free_since"] = time.monotonic()


def _refuse_dead(connection: psycopg.Connection, record: ConnectionPoolEntry, _: Any) -> None:
    """Have the pool replace a connection that the server has closed."""
    if not is_usable(connection, record.info.get("free_since", time.monotonic())):
        raise DisconnectionError


def is_usable(connection: psycopg.Connection, free_since: float) -> bool:
    """Whether a connection that was free since then (`time.monotonic`) still leads to the server.

    The server says nothing on a connection that waits, so one on which there is something to read has been closed:
    looking costs no round trip. Only then, and after a long time, is it asked.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0) and time.monotonic() - free_since < ASKED_AFTER_SECONDS:
        return True
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error:
        return False
    return True


def install_db(app: Flask, settings: Settings) -> None:
    """One engine a process, one session an application context."""
    ENGINE.fill(app, connect(settings))

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        current: Session | None = g.pop("session", None)
        if current is not None:
            current.close()
