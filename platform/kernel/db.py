"""The database: the root of the tables, and the session of a request, job or command."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from flask import Flask, current_app, g
from sqlalchemy import DateTime, Engine, MetaData, Uuid, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column

from kernel.ids import new_id
from kernel.settings import Settings

STATEMENT_TIMEOUT_MS = 30_000


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
    found: Engine = current_app.extensions["cordillera.engine"]
    return found


class RecordedSession(Session):
    """A session that refuses to commit changed rows without an audit record (`kernel.audit.record`)."""


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
    return create_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_timeout=5,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 3,
            "application_name": "cordillera",
            "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}",
        },
    )


def install_db(app: Flask, settings: Settings) -> None:
    """One engine a process, one session an application context."""
    app.extensions["cordillera.engine"] = connect(settings)

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        current: Session | None = g.pop("session", None)
        if current is not None:
            current.close()
