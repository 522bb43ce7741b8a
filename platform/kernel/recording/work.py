"""The one way to change something: an action.

An action is one transaction. It opens with the call, commits with the return and rolls back with an exception; an
action called from another one joins it. What it changes must leave an audit record: committing changed rows without
one raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import g
from sqlalchemy.orm import Session

from kernel.base import clock
from kernel.database.db import Base, new_session, session
from kernel.jobs import jobs
from kernel.jobs.access import Principal, act_as, current_principal
from kernel.recording import audit
from kernel.recording.reactions import Event, react

P = ParamSpec("P")
R = TypeVar("R")


class Work:
    """One transaction: its changes, their audit records and their jobs are committed together or not at all."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = clock.now()

    @cached_property
    def by(self) -> Principal:
        """The one who acts: the caller of the request, the operator of a command, or the system in a job.

        Looked for when it is first asked, because those who find out who calls have transactions of their own; from
        then on it is the same for the whole transaction.
        """
        return current_principal()

    def add(self, row: Base) -> None:
        self.session.add(row)

    def record(self, tag: str, subject: object, **detail: Any) -> None:
        """Write the audit record beside the change, and let those react who wait for it (`kernel.recording.reactions`).

        Every tag is described in `docs/audit-events.md`.

        subject: the row changed, or its readable code. detail: plain values, no secret and no document content.
        """
        audit.record(self.session, tag, subject, detail, self.by)
        react(self, Event(tag, audit.subject_name(subject), detail))

    def defer(self, job: Callable[..., Any], **arguments: Any) -> None:
        """Defer a job on this transaction's connection: it exists exactly if the change does."""
        self.session.flush()
        jobs.defer(self.session, job, arguments)

    def defer_at(self, at: datetime, job: Callable[..., Any], **arguments: Any) -> None:
        """Defer a job that begins at a later time, as soon as a worker is free then."""
        self.session.flush()
        jobs.defer(self.session, job, arguments, at=at)


Around = Callable[[Work, Callable[[], Any]], Any]


def action(function: Callable[Concatenate[Work, P], R]) -> Callable[P, R]:
    """Make a function the one transaction of what it does. Callers pass everything but the Work."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        joined: Work | None = g.get("work")
        if joined is not None:
            return function(joined, *args, **kwargs)
        current = session()
        work = g.work = Work(current)
        around: Around = g.pop("around_next_action", _nothing_more)
        try:
            result: R = around(work, lambda: function(work, *args, **kwargs))
            current.commit()
        except BaseException:
            current.rollback()
            raise
        finally:
            g.pop("work")
        return result

    return run


def _nothing_more(_: Work, change: Callable[[], Any]) -> Any:
    return change()


@contextmanager
def around_next_action(around: Around) -> Iterator[None]:
    """Have the next transaction run its change through `around`, which may add to it, or raise to have none of it.

    Raises RuntimeError if none comes.
    """
    g.around_next_action = around
    try:
        yield
        if "around_next_action" in g:
            raise RuntimeError("there was no action")
    finally:
        g.pop("around_next_action", None)


@contextmanager
def autonomous_work() -> Iterator[Work]:
    """A transaction beside the current one, committed even if that one fails: what must be remembered of a refusal."""
    with new_session() as beside:
        work = Work(beside)
        yield work
        beside.commit()


def continue_as(principal: Principal) -> None:
    """Name who acts from here on, in the transaction that is open too: somebody has just proved who they are."""
    act_as(principal)
    if in_action():
        g.work.by = principal


def in_action() -> bool:
    """Whether an action is under way here: its rows may be locked, and its connection is taken."""
    return "work" in g


def refuse_in_action() -> None:
    """Raises RuntimeError in an action: what waits for somebody else's server has its place before it."""
    if in_action():
        raise RuntimeError("an action waits for nobody else's server")


def release_connection() -> None:
    """Before waiting for somebody else's server: keep no connection, and no transaction of reads, open meanwhile.

    Raises RuntimeError in an action, which would lose what it has changed: whoever calls it should have waited before.
    """
    refuse_in_action()
    session().rollback()
