"""The one way from one state of a thing to the next: locked, checked, recorded, and its deadline watched."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from kernel.base.lifecycles import Lifecycle, TransitionRule
from kernel.database.db import Base
from kernel.jobs.jobs import job
from kernel.recording import audit
from kernel.recording.work import Work, action

S = TypeVar("S", bound=str)
T = TypeVar("T", bound=str)


class Row(Protocol):
    """A row with a lifecycle: `LIFECYCLE` is the table of its states."""

    __tablename__: str
    id: Any
    status: Any

    @property
    def LIFECYCLE(self) -> Lifecycle[Any, Any]: ...  # noqa: N802 - a class attribute in most models


def lock(work: Work, row: Row) -> None:
    """Read the row as it is now, and keep it from others until the commit."""
    work.session.refresh(row, with_for_update=True)


def rule(row: Row, name: str, *sides: str) -> TransitionRule[Any]:
    """The rule that lets somebody on one of these sides make a transition of a locked row.

    Raises the refusal of the row's lifecycle.
    """
    return row.LIFECYCLE.rule(row.status, name, *sides)


def transition(work: Work, row: Row, followed: TransitionRule[Any], /, **detail: Any) -> None:
    """Bring a locked row into its next state by a rule that allowed it: record it, and watch that state's deadline.

    Call it once everything else is changed, for others react to the record. detail: of the record.
    """
    row.status = str(followed.target)
    watch_deadline(work, row)
    work.record(followed.tag, row, **detail)


def watch_deadline(work: Work, row: Row) -> None:
    """Have the deadline of the row's state, if it has one, noticed when it passes; for rows that begin in it."""
    deadline = row.LIFECYCLE.deadlines.get(row.status)
    if deadline is not None:
        work.session.flush()
        due: datetime = getattr(row, deadline.due)
        work.defer_at(due, note_passed_deadline, table=row.__tablename__, row_id=str(row.id), status=str(row.status))


@job("kernel:lifecycle:deadline")
def note_passed_deadline(table: str, row_id: str, status: str) -> None:
    """Record that a thing is in a state for longer than it may be, and end that if its lifecycle says so.

    Does nothing once it has left the state.
    """
    _note_passed_deadline(table, row_id, status)


@action
def _note_passed_deadline(work: Work, table: str, row_id: str, status: str) -> None:
    model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == table)
    row = work.session.get(model, UUID(row_id), with_for_update=True, populate_existing=True)
    if row is None or row.status != status:
        return
    deadline = row.LIFECYCLE.deadlines.get(status)
    if deadline is None:
        return
    due: datetime = getattr(row, deadline.due)
    # The job may run again after its commit: the record tells that it did.
    if due <= work.now and not audit.is_recorded(work.session, deadline.tag, row, due):
        row.status = deadline.target or row.status
        work.record(deadline.tag, row)
