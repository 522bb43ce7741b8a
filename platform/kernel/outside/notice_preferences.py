"""Preferences: for each kind of notice, how soon each channel tells a person of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel.outside.notice_models import NoticeChoice


def choices_of(session: Session, kind: str, people: Collection[UUID]) -> Mapping[UUID | None, Mapping[str, str]]:
    """The choices of those people who have chosen something for this kind."""
    if not people:
        return {}
    query = select(NoticeChoice).where(NoticeChoice.kind == kind, NoticeChoice.person_id.in_(people))
    return {one.person_id: one.timings for one in session.scalars(query)}
