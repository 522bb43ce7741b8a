"""Forms have one effect each: a form sent twice leads to what it made the first time, and makes nothing more.

Every form that our pages render for somebody who is known carries an identifier of its own. A view that makes
something is marked `@once()` and makes it in `submit_once`, which remembers the identifier and the address it led to
in the transaction of the change. So a second click, a reload and a retry after a lost answer end where the first
sending did; two at the same instant wait for one another.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from flask import Flask, flash, has_request_context, redirect, request
from flask_babel import LazyString
from sqlalchemy import Text, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wrappers import Response

from kernel.base.errors import _
from kernel.base.ids import new_id
from kernel.database.db import Base, session
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.access import ANONYMOUS, current_principal, known_principal
from kernel.jobs.jobs import periodic
from kernel.recording.work import Work, action, around_next_action

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

FIELD = "form_id"
REMEMBERED = timedelta(days=1)
SENT_BEFORE = _("You had already sent this form, so nothing was done twice. This is the result.")
SECRET_SHOWN = _(
    "You had already sent this form, so nothing was done twice. Its secret was shown once and cannot be "
    "shown again: if you did not save it, create a new one here."
)


class FormSubmission(Base):
    """A form that had its effect, and where that can be seen."""

    __tablename__ = "form_submission"
    unaudited = "it goes with a change that is recorded, and is forgotten after a day"

    principal: Mapped[str] = mapped_column(Text, primary_key=True)
    form_id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(index=True)


class AlreadySubmitted(Exception):
    """The form had its effect before; `address` is where that can be seen. `once` answers with it."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def form_id() -> str:
    """A new identifier for a form about to be rendered. None for strangers, who make nothing."""
    return "" if known_principal() == ANONYMOUS else str(new_id())


def once(sentence: LazyString = SENT_BEFORE) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """Mark a view whose POST makes something in `submit_once`. Put it next to the view, below who may.

    sentence: for whoever sends the form again; for what shows a secret it is SECRET_SHOWN.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def run(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            try:
                # First of all: what the form made may be the very thing that makes it wrong now.
                if request.method == "POST" and (address := _address_of(_submitted_id())) is not None:
                    raise AlreadySubmitted(address)
                return view(*args, **kwargs)
            except AlreadySubmitted as earlier:
                flash(sentence, "attention")
                return redirect(earlier.address, 303)

        run.has_one_effect = True  # type: ignore[attr-defined]
        return run

    return decorate


def submit_once(change: Callable[[], T], leads_to: Callable[[T], str]) -> T:
    """Make a change, unless the form that asks for it made it before. Raises AlreadySubmitted.

    change: one action, after what it may have to prepare. leads_to: the address of what it made, for those who send
    the form again.
    """
    form_id = _submitted_id() if has_request_context() else None
    if form_id is None:
        return change()

    def claimed(work: Work, change: Callable[[], T]) -> T:
        by = work.by.id
        _claim(work, form_id)
        made = change()
        own = (FormSubmission.principal == by, FormSubmission.form_id == form_id)
        work.session.execute(update(FormSubmission).where(*own).values(address=leads_to(made)))
        return made

    with around_next_action(claimed):
        return change()


def _claim(work: Work, form_id: UUID) -> None:
    """Take the form for this transaction, after waiting for another one that has it in its hands."""
    values = {"principal": work.by.id, "form_id": form_id, "address": "", "at": work.now}
    statement = insert(FormSubmission).values(values).on_conflict_do_nothing()
    if work.session.scalar(statement.returning(FormSubmission.form_id)) is None:
        raise AlreadySubmitted(_address_of(form_id) or "/")


def _submitted_id() -> UUID | None:
    """The identifier that the form carried; None for a program that sends none and so asks for no protection."""
    try:
        return UUID(request.form.get(FIELD, ""))
    except ValueError:
        return None


def _address_of(form_id: UUID | None) -> str | None:
    if form_id is None:
        return None
    own = (FormSubmission.principal == current_principal().id, FormSubmission.form_id == form_id)
    return session().scalar(select(FormSubmission.address).where(*own))


@periodic("kernel:submissions:sweep", "53 * * * *")
def sweep_submissions() -> None:
    """Every hour, forget the forms of a day ago."""
    until_empty(_sweep_batch)


@action
def _sweep_batch(work: Work) -> int:
    return remove_batch(work.session, FormSubmission, FormSubmission.at < work.now - REMEMBERED)


def install_submissions(app: Flask) -> None:
    """Give every form of the pages its identifier (`macros.html`)."""
    app.jinja_env.globals[FIELD] = form_id
