"""Consents of people to share with applications: as they are read with every answer, and as they grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from identity.openid.models import ApplicationConsent
from kernel.base.ids import new_id
from kernel.database.prepared import PreparedQuery
from kernel.recording.work import Work

_agreed = PreparedQuery(
    select(ApplicationConsent.scopes, ApplicationConsent.authorization_details).where(
        ApplicationConsent.person_id == bindparam("person_id"),
        ApplicationConsent.client_id == bindparam("client_id"),
        ApplicationConsent.withdrawn_at.is_(None),
    )
)


def has_consented(
    person_id: UUID, client_id: str, scopes: Iterable[str], details: Iterable[dict[str, Any]] = ()
) -> bool:
    """Whether the person agreed before to at least this much with the application."""
    agreed = _agreed(person_id=person_id, client_id=client_id)
    return agreed is not None and set(scopes) <= set(agreed[0]) and all(detail in agreed[1] for detail in details)


def remember_consent(
    work: Work, person_id: UUID, client_id: str, scopes: Sequence[str], details: Sequence[dict[str, Any]]
) -> None:
    """Add to what the person agreed to: what was given for earlier requests lives on, so it goes on being told."""
    mine = (ApplicationConsent.person_id == person_id, ApplicationConsent.client_id == client_id)
    query = select(ApplicationConsent.scopes, ApplicationConsent.authorization_details)
    earlier = work.session.execute(query.where(*mine, ApplicationConsent.withdrawn_at.is_(None)).with_for_update())
    before_scopes, before_details = earlier.one_or_none() or ((), ())
    changed = {
        "scopes": sorted({*before_scopes, *scopes}),
        "authorization_details": [*before_details, *(each for each in details if each not in before_details)],
        "given_at": work.now,
        "last_used_at": work.now,
        "withdrawn_at": None,
    }
    agreed = insert(ApplicationConsent).values(id=new_id(), person_id=person_id, client_id=client_id, **changed)
    work.session.execute(agreed.on_conflict_do_update(index_elements=["person_id", "client_id"], set_=changed))
