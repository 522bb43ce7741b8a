"""Preferences: for each kind of notice, how soon each channel tells a person of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from kernel.base.notices import NoticeTemplate
from kernel.base.slots import Slot
from kernel.database.db import session
from kernel.outside.notice_models import NoticeChoice
from kernel.recording.work import Work

TEMPLATES: Slot[Mapping[str, NoticeTemplate]] = Slot("notice_templates", dict)
"""Every template that the blocks brought, by its kind."""


def choices_of(session: Session, kind: str, people: Collection[UUID]) -> Mapping[UUID | None, Mapping[str, str]]:
    """The choices of those people who have chosen something for this kind."""
    if not people:
        return {}
    query = select(NoticeChoice).where(NoticeChoice.kind == kind, NoticeChoice.person_id.in_(people))
    return {one.person_id: one.timings for one in session.scalars(query)}


def choices_by(person_id: UUID) -> Mapping[str, Mapping[str, str]]:
    """Everything that a person has chosen, by kind."""
    query = select(NoticeChoice).where(NoticeChoice.person_id == person_id)
    return {one.kind: one.timings for one in session().scalars(query.execution_options(populate_existing=True))}


def templates_for(roles: frozenset[str]) -> list[NoticeTemplate]:
    """The templates that may concern somebody with these roles."""
    return [template for template in TEMPLATES().values() if template.concerns(roles)]


def save_choice(work: Work, person_id: UUID, kind: str, timings: Mapping[str, str]) -> None:
    """Keep what a person chose for a kind."""
    chosen = {"timings": {name: str(timing) for name, timing in timings.items()}}
    statement = insert(NoticeChoice).values(person_id=person_id, kind=kind, **chosen)
    work.session.execute(statement.on_conflict_do_update(index_elements=["person_id", "kind"], set_=chosen))
