"""The one way from one state of a thing to the next: locked, checked, recorded, and its deadline watched."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from kernel.base.lifecycles import Lifecycle, TransitionRule
from kernel.database.db import Base
from kernel.jobs.jobs import job
from kernel.recording.work import Work, action

S = TypeVar("S", bound=str)
T = TypeVar("T", bound=str)


class Row(Protocol):
    """A row with a lifecycle: `LIFECYCLE` of its class is the table of its states."""

    LIFECYCLE: Lifecycle[Any, Any]
    __tablename__: str
    id: Any
    status: Any


def lock(work: Work, row: Row) -> None:
    """Read the row as it is now, and keep it from others until the commit."""
    work.session.refresh(row, with_for_update=True)


def transition(work: Work, row: Row, name: str, *sides: str) -> TransitionRule[Any]:
    """Bring a locked row into its next state, and watch that one's deadline; the rule that allowed it.

    sides: for whom somebody acts. Its caller records the rule's tag once it has changed what else changes. Raises the
    refusal of the row's lifecycle.
    """
    rule = row.LIFECYCLE.rule(row.status, name, *sides)
    row.status = str(rule.target)
    watch_deadline(work, row)
    return rule


def watch_deadline(work: Work, row: Row) -> None:
    """Have the deadline of the row's state, if it has one, noticed when it passes; for rows that begin in it."""
    deadline = row.LIFECYCLE.deadlines.get(row.status)
    if deadline is not None:
        work.session.flush()
        due: datetime = getattr(row, deadline.due)
        work.defer_at(due, note_passed_deadline, table=row.__tablename__, row_id=str(row.id), status=str(row.status))


@job("kernel:lifecycle:deadline")
def note_passed_deadline(table: str, row_id: str, status: str) -> None:
    """Record that a thing is in a state for longer than it may be. Does nothing once it has left the state."""
    _note_passed_deadline(table, row_id, status)


@action
def _note_passed_deadline(work: Work, table: str, row_id: str, status: str) -> None:
    model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == table)
    row = work.session.get(model, UUID(row_id), with_for_update=True, populate_existing=True)
    deadline = model.LIFECYCLE.deadlines.get(status)
    if row is not None and deadline is not None and row.status == status and getattr(row, deadline.due) <= work.now:
        work.record(deadline.tag, row)
