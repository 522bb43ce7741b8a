"""The chain over the audit: each seal holds the hash of a batch of events, chained to the seal before it.

The sealer (`kernel.recording.sealing`) takes what waits in batches within a second. An event itself is never written
again: the seal names its events. Altering, removing or inserting a sealed event breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Index,
    LargeBinary,
    Row,
    Uuid,
    and_,
    any_,
    cast,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.base import clock
from kernel.base.canonical import canonical_json
from kernel.database.db import Base
from kernel.recording.audit import BATCH_SPANS, AuditEvent
from kernel.recording.sealing import BATCH, Seal, Unsealed

GENESIS = bytes(32)
PARTITION_DROPPED = "kernel:partition:dropped"

Event = AuditEvent | Row[Any]
"""An event, or a row with all its columns."""


class AuditWaiting(Base):
    """An event that has no seal yet: a trigger adds it with the event, the sealer takes it away."""

    __tablename__ = "audit_waiting"
    unaudited = "it is the audit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class AuditSeal(Base):
    """A link of the chain: `hash` = SHA-256(previous hash, then the hash of each event of the batch in order)."""

    __tablename__ = "audit_seal"
    __table_args__ = (Index("ix_audit_seal_first_at", "first_at"),)
    unaudited = "it is the audit"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    events: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    """The events of the batch, in order; `first_at` and `last_at`, between which they lie, say where to look."""
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


def event_hash(event: Event) -> bytes:
    """SHA-256 over the canonical JSON (RFC 8785) of everything that the event says."""
    members = {
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
    return hashlib.sha256(canonical_json(members)).digest()


def chain(previous: bytes, events: Sequence[Event]) -> bytes:
    """The hash of a seal."""
    link = hashlib.sha256(previous)
    for event in events:
        link.update(event_hash(event))
    return link.digest()


def link_of(session: Session, number: int | None) -> Seal | None:
    """The link of a number, the last one for None, with its hash."""
    query = select(AuditSeal.number, AuditSeal.hash).order_by(AuditSeal.number.desc()).limit(1)
    row = session.execute(query if number is None else query.where(AuditSeal.number == number)).one_or_none()
    return Seal(*row) if row else None


def seal_batch(session: Session, limit: int = BATCH) -> int:
    """Seal what waits, at most so much; the number of events sealed.

    Only the one sealer calls this, in its transaction.
    """
    first_in = select(AuditWaiting.id).order_by(AuditWaiting.id).limit(limit)
    taken = session.execute(
        delete(AuditWaiting)
        .where(AuditWaiting.id.in_(first_in))
        .returning(AuditWaiting.id, AuditWaiting.at)
        .execution_options(synchronize_session=False)
    ).all()
    if not taken:
        return 0
    times = [at for _, at in taken]
    events = _events(session, [event_id for event_id, _ in taken], min(times), max(times))
    last = _last_seal(session)
    session.add(
        AuditSeal(
            number=last.number + 1 if last else 1,
            sealed_at=clock.now(),
            events=len(events),
            hash=chain(last.hash if last else GENESIS, events),
            members=[event.id for event in events],
            first_at=min(times),
            last_at=max(times),
        )
    )
    return len(events)


def _events(session: Session, ids: Sequence[UUID], first_at: datetime, last_at: datetime) -> Sequence[Row[Any]]:
    """These events in the order of the chain; the times keep the search to the partitions where they lie."""
    return session.execute(
        select(*AuditEvent.__table__.columns)
        .where(AuditEvent.id == any_(cast(ids, ARRAY(Uuid()))), AuditEvent.at.between(first_at, last_at))
        .order_by(AuditEvent.id)
    ).all()


def _last_seal(session: Session) -> AuditSeal | None:
    return session.scalars(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1)).first()


def seal_of(session: Session, event: AuditEvent) -> int | None:
    """The number of the seal that has the event; None while it waits for one."""
    if session.get(AuditWaiting, event.id) is not None:
        return None
    return session.scalar(select(AuditSeal.number).where(_has(event.id, event.at)).limit(1))


def _has(event_id: Any, at: Any) -> ColumnElement[bool]:
    """Whether a seal has this event. The first condition says nothing more, but it lets the index find the place."""
    return and_(
        AuditSeal.first_at.between(at - BATCH_SPANS, at), AuditSeal.last_at >= at, any_(AuditSeal.members) == event_id
    )


@dataclass(frozen=True)
class Verdict:
    """The finding of a recomputation of the chain: `broken_at` is the first seal that does not hold, None for an intact
    chain. `strays`: how many events no seal has that do not wait for one either; told of an intact chain only.
    """

    seals: int
    events: int
    broken_at: int | None
    strays: int = 0


def verify(session: Session) -> Verdict:
    """Recompute the chain. Events may be missing only where retention says, in the chain itself, that it took them."""
    previous, seals, events = GENESIS, 0, 0
    last_seal, sealed = session.execute(_SEALED).one()
    taken = _taken_by_retention(session)
    for seal, batch in _seals(session, last_seal):
        # A batch may lie on both sides of a month's end: what is left of it cannot be recomputed either.
        is_whole = len(batch) == seal.events
        holds = chain(previous, batch) == seal.hash if is_whole else seal.number <= taken
        if not holds or seal.number != seals + 1:
            return Verdict(seals, events, seal.number)
        previous, seals, events = seal.hash, seals + 1, events + len(batch)
    return Verdict(seals, events, None, strays=sealed - events)


_SEALED = select(
    select(func.coalesce(func.max(AuditSeal.number), 0)).scalar_subquery(),
    select(func.count()).select_from(AuditEvent).scalar_subquery()
    - select(func.count()).select_from(AuditWaiting).scalar_subquery(),
)
"""The last seal, and how many events do not wait for the next, both at one moment."""


def _taken_by_retention(session: Session) -> int:
    """The last seal of which a month that was dropped had events, as later seals witness."""
    last_seal = cast(AuditEvent.detail["last_seal"].astext, BigInteger)
    dropped = select(func.max(last_seal)).where(
        AuditEvent.tag == PARTITION_DROPPED,
        AuditEvent.detail["table"].astext == AuditEvent.__tablename__,
        exists().where(_has(AuditEvent.id, AuditEvent.at), AuditSeal.number > last_seal),
    )
    return session.scalar(dropped) or 0


def _seals(session: Session, last: int) -> Iterator[tuple[AuditSeal, Sequence[Row[Any]]]]:
    query = select(AuditSeal).where(AuditSeal.number <= last).order_by(AuditSeal.number)
    for seal in session.scalars(query.execution_options(yield_per=500)):
        yield seal, _events(session, seal.members, seal.first_at, seal.last_at)


@dataclass(frozen=True)
class SealState:
    """The end of the chain: its last link, and what waits for the next."""

    last: AuditSeal | None
    waiting: int


def seal_state(session: Session) -> SealState:
    """The state of the chain, without recomputing it (`verify` does)."""
    return SealState(_last_seal(session), unsealed(session).records)


def unsealed(session: Session) -> Unsealed:
    """The events that have no seal yet."""
    return Unsealed(*session.execute(select(func.count(), func.min(AuditWaiting.at))).one())
