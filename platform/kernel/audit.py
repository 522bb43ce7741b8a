"""The audit: who did what to what, written in the transaction of the change, sealed afterwards into a hash chain.

Writers only insert, so no request waits for another. The sealer (`kernel.sealing`) takes what is not sealed yet in
batches within a second: each seal holds the hash of its batch chained to the seal before it. Altering, removing or
inserting a sealed event breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy import BigInteger, Index, LargeBinary, Select, Text, bindparam, cast, func, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel import clock
from kernel.access import Principal, current_principal
from kernel.db import Base
from kernel.errors import NotFound
from kernel.ids import new_id
from kernel.pagination import Page, page
from kernel.partitions import Kept
from kernel.requests import current_request_id

GENESIS = bytes(32)
PARTITION_DROPPED = "kernel:partition:dropped"
BATCH = 2_000


class AuditEvent(Base):
    """One thing done or refused. Append-only: a trigger allows nothing but the sealer's two columns to be set, once."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_unsealed", "id", postgresql_where="seal IS NULL"),
        Index("ix_audit_event_seal_position", "seal", "position"),
        Index("ix_audit_event_agency_id", "agency", "id"),
        Index("ix_audit_event_subject_id", "subject", "id"),
        Index("ix_audit_event_actor_id", "actor", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    unaudited = "it is the audit"
    kept = Kept("audit_kept_months", unfinished="seal IS NULL", told=(("last_seal", "max(seal)"),))

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
    seal: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[int | None]


class AuditSeal(Base):
    """A link of the chain: `hash` = SHA-256(previous hash, then the hash of each event of the batch in order)."""

    __tablename__ = "audit_seal"
    unaudited = "it is the audit"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    events: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)


_INSERT = insert(AuditEvent.__table__)  # type: ignore[arg-type]
_WRITTEN = ("id", "at", "tag", "actor_kind", "actor", "actor_name", "agency", "subject", "request_id", "detail")
RECORD_BESIDE = _INSERT.values({name: bindparam(f"audit_{name}") for name in _WRITTEN}).cte("recorded")
"""The record as part of the statement that changes something (`kernel.statements.Change`)."""


def record(session: Session, tag: str, subject: object, detail: Mapping[str, Any]) -> None:
    """Add the record of a change to its transaction; the actor is the current principal."""
    session.flush()  # what a new row is called may be for the database to say
    session.info["recorded"] = True
    session.connection().execute(_INSERT, _event(tag, subject, detail))


def recorded(tag: str, subject: object, **detail: Any) -> dict[str, Any]:
    """The parameters of `RECORD_BESIDE`; the actor is the current principal."""
    return {f"audit_{name}": value for name, value in _event(tag, subject, detail).items()}


def _event(tag: str, subject: object, detail: Mapping[str, Any]) -> dict[str, Any]:
    principal = current_principal()
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
    """How the audit names a thing: `table:code` or `table:id` for a row, a string as it is."""
    if isinstance(subject, Base):
        return f"{subject.__tablename__}:{getattr(subject, 'code', None) or getattr(subject, 'id', '')}"
    return str(subject)


def event_hash(event: AuditEvent) -> bytes:
    """SHA-256 over the canonical JSON (RFC 8785) of everything that the event says."""
    said = {
        "id": str(event.id),
        "at": event.at.isoformat(timespec="microseconds"),
        "tag": event.tag,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "actor_name": event.actor_name,
        "agency": event.agency,
        "subject": event.subject,
        "request_id": event.request_id,
        "detail": event.detail,
    }
    return hashlib.sha256(rfc8785.dumps(said)).digest()


def chain(previous: bytes, events: Sequence[AuditEvent]) -> bytes:
    """The hash of a seal."""
    link = hashlib.sha256(previous)
    for event in events:
        link.update(event_hash(event))
    return link.digest()


def seal_batch(session: Session) -> int:
    """Seal what is not sealed yet; the number of events sealed. Only the one sealer calls this, in its transaction."""
    waiting = session.scalars(
        select(AuditEvent).where(AuditEvent.seal.is_(None)).order_by(AuditEvent.id).limit(BATCH)
    ).all()
    if not waiting:
        return 0
    last = session.scalars(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1)).first()
    number = last.number + 1 if last else 1
    session.add(
        AuditSeal(
            number=number,
            sealed_at=clock.now(),
            events=len(waiting),
            hash=chain(last.hash if last else GENESIS, waiting),
        )
    )
    session.execute(
        update(AuditEvent),
        [
            {"id": event.id, "at": event.at, "seal": number, "position": position}
            for position, event in enumerate(waiting)
        ],
    )
    return len(waiting)


@dataclass(frozen=True)
class Verdict:
    """What a recomputation of the chain found: `broken_at` is the first seal that does not hold, None for an intact
    chain.
    """

    seals: int
    events: int
    broken_at: int | None


def verify(session: Session) -> Verdict:
    """Recompute the chain. Events may be missing only where retention says, in the chain itself, that it took them."""
    previous, seals, events, taken = GENESIS, 0, 0, _taken_by_retention(session)
    for seal, batch in _seals(session):
        # A batch may lie on both sides of a month's end: what is left of it cannot be recomputed either.
        is_whole = len(batch) == seal.events
        holds = chain(previous, batch) == seal.hash if is_whole else seal.number <= taken
        if not holds or seal.number != seals + 1:
            return Verdict(seals, events, seal.number)
        previous, seals, events = seal.hash, seals + 1, events + len(batch)
    return Verdict(seals, events, None)


def _taken_by_retention(session: Session) -> int:
    """The last seal of which a month that was dropped had events, as later seals witness."""
    last_seal = cast(AuditEvent.detail["last_seal"].astext, BigInteger)
    dropped = select(func.max(last_seal)).where(
        AuditEvent.tag == PARTITION_DROPPED,
        AuditEvent.detail["table"].astext == AuditEvent.__tablename__,
        AuditEvent.seal > last_seal,
    )
    return session.scalar(dropped) or 0


def _seals(session: Session) -> Iterator[tuple[AuditSeal, Sequence[AuditEvent]]]:
    for seal in session.scalars(select(AuditSeal).order_by(AuditSeal.number).execution_options(yield_per=500)):
        yield (
            seal,
            session.scalars(
                select(AuditEvent).where(AuditEvent.seal == seal.number).order_by(AuditEvent.position)
            ).all(),
        )


@dataclass(frozen=True)
class EventFilter:
    """What to look for: the beginning of a tag, a state code, part of an actor's name or their id, the beginning of a
    subject, and the time from `since` on and before `until`. What is empty is not looked at."""

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
    """Who did what, the newest first. Raises Invalid for a cursor that we did not give."""
    return page(session, wanted.applied_to(select(AuditEvent)), [AuditEvent.id], cursor=cursor)


def get_event(session: Session, event_id: UUID) -> AuditEvent:
    """One event. Raises NotFound."""
    found = session.scalars(select(AuditEvent).where(AuditEvent.id == event_id)).first()
    if found is None:
        raise NotFound()
    return found


@dataclass(frozen=True)
class SealState:
    """How far the chain reaches: its last link, and how many events wait for the next."""

    last: AuditSeal | None
    waiting: int


def seal_state(session: Session) -> SealState:
    """The state of the chain, without recomputing it (`verify` does)."""
    last = session.scalars(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1)).first()
    unsealed = select(func.count()).select_from(AuditEvent).where(AuditEvent.seal.is_(None))
    return SealState(last, session.scalar(unsealed) or 0)
