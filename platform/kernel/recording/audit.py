"""The audit: who did what to what, in the transaction of the change; sealed afterwards (`recording.audit_chain`).

Writers only insert, so no request waits for another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Index,
    Select,
    Text,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.base import clock
from kernel.base.errors import NotFound
from kernel.base.ids import new_id
from kernel.base.request_id import current_request_id
from kernel.database.db import Base
from kernel.database.pagination import Page, page
from kernel.database.partitions import RetentionPeriod
from kernel.jobs.access import Principal, current_principal

BATCH_SPANS = timedelta(days=60)
"""The time that the events of one seal may lie apart: as long as no sealer ran."""
LAST_SEAL = f"""(
    SELECT max(number) FROM audit_seal
    WHERE audit_seal.first_at BETWEEN max(month.at) - interval '{BATCH_SPANS.days} days' AND max(month.at)
)"""  # noqa: S608 - our own number
"""The last seal that has events of a month, or of an older one: it is not older than the batch with the last event."""


class AuditEvent(Base):
    """One thing done or refused. Append-only: a trigger refuses every change, another puts it among those that wait for
    their seal.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_agency_id", "agency", "id"),
        Index("ix_audit_event_subject_id", "subject", "id"),
        Index("ix_audit_event_actor_id", "actor", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    unaudited = "it is the audit"
    retention_period = RetentionPeriod(
        lambda settings: settings.audit_kept_months,
        unfinished="id IN (SELECT id FROM audit_waiting)",
        summary=(("last_seal", LAST_SEAL),),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    agency: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]]


_INSERT = insert(AuditEvent.__table__)  # type: ignore[arg-type]
_INSERT_ONCE = postgresql.insert(AuditEvent.__table__).on_conflict_do_nothing()  # type: ignore[arg-type]
_WRITTEN = ("id", "at", "tag", "actor_kind", "actor", "actor_name", "agency", "subject", "request_id", "detail")


def record(session: Session, tag: str, subject: object, detail: Mapping[str, Any], by: Principal) -> None:
    """Add the record of a change to its transaction. by: the actor."""
    session.flush()  # what a new row is called may be for the database to say
    session.info["recorded"] = True
    session.connection().execute(_INSERT, _event(tag, subject, detail, by))


def prepared(tag: str, subject: object, by: Principal, **detail: Any) -> dict[str, Any]:
    """A record for `record_once`. by: the actor; the time is now."""
    return _event(tag, subject, detail, by)


def record_once(session: Session, events: Sequence[Mapping[str, Any]]) -> None:
    """Write prepared records, but for those that are there already: an earlier attempt whose answer was lost wrote
    them.
    """
    session.info["recorded"] = True
    session.connection().execute(_INSERT_ONCE, list(events))


def is_recorded(session: Session, tag: str, subject: object, since: datetime) -> bool:
    """Whether this was recorded of a thing since a time."""
    same = (AuditEvent.tag == tag, AuditEvent.subject == subject_name(subject), AuditEvent.at >= since)
    return session.scalar(select(AuditEvent.id).where(*same).limit(1)) is not None


def record_of(done: CTE, details: Sequence[str] = ()) -> CTE:
    """The record as part of the statement that changes something: one for each row of `done`, none where it has none.

    Its parameters are those of `recorded`. details: the columns of `done` that become members of the detail, for what
    only the statement itself finds out.
    """
    columns = AuditEvent.__table__.columns
    values: list[ColumnElement[Any]] = [bindparam(f"audit_{name}", type_=columns[name].type) for name in _WRITTEN]
    for name in details:
        values[-1] = values[-1].concat(func.jsonb_build_object(literal_column(f"'{name}'"), done.c[name]))
    return _INSERT.from_select(_WRITTEN, select(*values).select_from(done)).cte("recorded")


def recorded(tag: str, subject: object, **detail: Any) -> dict[str, Any]:
    """The parameters of `record_of`; the actor is the current principal."""
    return {f"audit_{name}": value for name, value in _event(tag, subject, detail, current_principal()).items()}


def _event(tag: str, subject: object, detail: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    return {
        "id": new_id(),
        "at": clock.now(),
        "tag": tag,
        "actor_kind": principal.kind,
        "actor": principal.id,
        "actor_name": principal.name,
        "agency": _agency(principal),
        "subject": subject_name(subject),
        "request_id": current_request_id(),
        "detail": {**detail, **_through(principal)},
    }


def _agency(principal: Principal) -> str | None:
    return principal.agency.code if principal.agency else None


def _through(principal: Principal) -> dict[str, str]:
    return {"through": principal.application} if principal.application else {}


def subject_name(subject: object) -> str:
    """Name a thing as the audit does: `table:code` or `table:id` for a row, a string as it is.

    A row that is about another thing says so (`audit_name`).
    """
    if named := getattr(subject, "audit_name", None):
        return str(named)
    if isinstance(subject, Base):
        return f"{subject.__tablename__}:{getattr(subject, 'code', None) or getattr(subject, 'id', '')}"
    return str(subject)


@dataclass(frozen=True)
class EventFilter:
    """A filter of events. It takes the beginning of a tag, a state code, part of an actor's name or their id, the
    beginning of a subject, and the time from `since` on and before `until`. What is empty is not looked at.
    """

    tag: str = ""
    agency: str = ""
    actor: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def applied_to(self, query: Select[AuditEvent]) -> Select[AuditEvent]:
        if self.tag:
            query = query.where(AuditEvent.tag.startswith(self.tag, autoescape=True))
        if self.agency:
            query = query.where(AuditEvent.agency == self.agency.upper())
        if self.actor:
            named = AuditEvent.actor_name.icontains(self.actor, autoescape=True)
            query = query.where(or_(AuditEvent.actor == self.actor, named))
        if self.subject:
            query = query.where(AuditEvent.subject.startswith(self.subject, autoescape=True))
        if self.since:
            query = query.where(AuditEvent.at >= self.since)
        return query.where(AuditEvent.at < self.until) if self.until else query


def search_events(session: Session, wanted: EventFilter, *, cursor: str | None = None) -> Page[AuditEvent]:
    """List events, the newest first. Raises Invalid for a cursor that we did not give."""
    return page(session, wanted.applied_to(select(AuditEvent)), [AuditEvent.id], cursor=cursor)


def get_event(session: Session, event_id: UUID) -> AuditEvent:
    """One event. Raises NotFound."""
    event = session.scalars(select(AuditEvent).where(AuditEvent.id == event_id)).first()
    if event is None:
        raise NotFound()
    return event
