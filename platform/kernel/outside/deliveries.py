"""Deliveries: things that are sent to somebody else's server, and sent again until it arrived, each attempt recorded.

A delivery is written in the transaction of the change that it tells of. It says what to send by the name of a kind and
plain arguments; the kind makes the message anew for each attempt. At least once, and in no promised order.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import prometheus_client
from sqlalchemy import BigInteger, Index, Text, select, text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base import clock
from kernel.base.errors import BadGateway, GatewayTimeout, Problem
from kernel.base.ids import new_id
from kernel.base.slots import Slot
from kernel.database.db import Base, Identified
from kernel.database.partitions import RetentionPeriod
from kernel.database.pruning import BATCH, until_empty
from kernel.jobs.jobs import CONCURRENCY, current_job_id, job, periodic
from kernel.outside import outbound
from kernel.outside.bulkheads import Bulkhead, Place, Saturated
from kernel.outside.deliveries_rules import (
    Outcome,
    Schedule,
    Status,
    outcome_of,
    readable_beginning,
    retry_after_of,
)
from kernel.recording.work import Work, action, release_connection

SEND_SECONDS = 15.0
READ_SECONDS = 5.0
MAX_ANSWER_BYTES = 20_000
SHOWN_BYTES = 500
CLAIM_LASTS = timedelta(minutes=5)
"""Longer than any attempt: until then nobody else sends what somebody is sending."""
FORGOTTEN_AFTER = timedelta(minutes=15)
"""The delay after which nobody is going to make an attempt; far longer than one takes."""
NO_PLACE_SECONDS = (1, 10)
"""Between these lies the pause of a delivery for whose receiver there was no place to wait."""

ATTEMPTS = prometheus_client.Counter(
    "cordillera_delivery_attempts", "Attempts to deliver to others' servers", ["kind", "outcome"]
)
# All receivers that are silent together leave one of a worker's threads for other jobs, and one of them leaves two.
CALLS: Slot[Bulkhead] = Slot("delivery_calls", lambda: Bulkhead(CONCURRENCY - 1, CONCURRENCY - 1, CONCURRENCY - 2))


class Delivery(Base):
    """One thing to send to one receiver; its `id` is its name over all attempts.

    owner: to whom its attempts are shown, as `agency:code` or `client:id`. topic: what it tells, for people.
    `ticket` is the number of the job that may send it: whoever has another one is too late. While somebody sends it,
    `claimed_by` (the number of their job) and `claimed_until` say so.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_owner_id", "owner", "id"),
        Index("ix_delivery_subscription_id_id", "subscription_id", "id"),
        Index("ix_delivery_next_attempt_at", "next_attempt_at", postgresql_where=text("status = 'pending'")),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    unaudited = "it and its attempts are the record; what follows for its owner is audited"
    retention_period = RetentionPeriod(
        lambda settings: settings.deliveries_kept_months, unfinished="status = 'pending'"
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]]
    subscription_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(Text, default=Status.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    attempts_before: Mapped[int] = mapped_column(default=0)
    """Those made before it was last sent again: the schedule counts from there."""
    next_attempt_at: Mapped[datetime | None]
    ticket: Mapped[int] = mapped_column(default=1)
    claimed_by: Mapped[int | None] = mapped_column(BigInteger)
    claimed_until: Mapped[datetime | None]


class DeliveryAttempt(Identified, Base):
    """One attempt: when, how long it took, and what came back (`answer`: how it begins)."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        Index("ix_delivery_attempt_delivery_id_id", "delivery_id", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    unaudited = "it is a record itself"
    retention_period = RetentionPeriod(lambda settings: settings.deliveries_kept_months)

    at: Mapped[datetime] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID]
    number: Mapped[int]
    address: Mapped[str] = mapped_column(Text)
    milliseconds: Mapped[int]
    outcome: Mapped[str] = mapped_column(Text)
    status: Mapped[int | None]
    answer: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True)
class Message:
    """A request to send, made for one attempt."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Sent:
    """The end of an attempt. retry_after: how long the receiver asked us to stay away."""

    address: str
    milliseconds: int
    outcome: Outcome
    status: int | None = None
    answer: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class DeliveryKind:
    """A kind of delivery: how its message is made, when it is sent again, and which answers settle it.

    make: gets the delivery and reads what it needs; in place of a message the status in which the delivery rests, where
    there is nobody to tell, or not now. is_final: of an answer's status, whether another attempt would change nothing.
    noted: what else changes with an attempt, in its transaction.
    """

    name: str
    make: Callable[[Delivery], Message | Status]
    schedule: Schedule
    is_success: Callable[[int], bool]
    is_final: Callable[[int], bool]
    noted: Callable[[Work, Delivery, Sent], None]


KINDS: dict[str, DeliveryKind] = {}


def delivery_kind(kind: DeliveryKind) -> DeliveryKind:
    """Register a kind under its name, which never changes: a delivery of an older release is still sent."""
    KINDS[kind.name] = kind
    return kind


def deliver(
    work: Work,
    kind: DeliveryKind,
    *,
    owner: str,
    topic: str,
    arguments: Mapping[str, Any],
    subscription_id: UUID | None = None,
    is_held: bool = False,
) -> Delivery:
    """Send something, in the transaction of the change that it tells of. is_held: keep it until somebody resumes."""
    delivery = Delivery(
        id=new_id(),
        at=work.now,
        kind=kind.name,
        owner=owner,
        topic=topic,
        arguments=dict(arguments),
        subscription_id=subscription_id,
        status=Status.HELD if is_held else Status.PENDING,
        next_attempt_at=None if is_held else work.now,
        ticket=1,
    )
    work.add(delivery)
    if not is_held:
        work.defer(attempt, delivery_id=str(delivery.id), ticket=1)
    return delivery


def send_again(work: Work, delivery: Delivery) -> None:
    """Begin the attempts of a locked delivery anew, at once, under its old name."""
    delivery.status, delivery.attempts_before = Status.PENDING, delivery.attempts
    _schedule(work, delivery, work.now)


def _schedule(work: Work, delivery: Delivery, at: datetime) -> None:
    delivery.ticket += 1
    delivery.next_attempt_at = at
    work.defer_at(at, attempt, delivery_id=str(delivery.id), ticket=delivery.ticket)


@job("kernel:delivery:attempt")
def attempt(delivery_id: str, ticket: int) -> None:
    """Make one attempt, and note how it ended; what failed is sent again by a job of its own.

    A worker that dies in between has sent and not noted: the job comes again, and the message goes out under the same
    name once more.
    """
    delivery = _claim(delivery_id, ticket)
    if delivery is None:
        return
    kind = KINDS[delivery.kind]
    try:
        message = kind.make(delivery)
    except Problem as problem:  # what a message is made of may be at somebody else's, too
        _note(delivery_id, ticket, Sent("", 0, _outcome_of(problem)))
        return
    if isinstance(message, Status):
        _put_to_rest(delivery_id, message)
        return
    release_connection()
    try:
        place = CALLS().take("delivery", urlsplit(message.url).netloc)
    except Saturated:
        _put_off(delivery_id)
        return
    sent = _send(kind, message, place)
    ATTEMPTS.labels(kind.name, sent.outcome).inc()
    _note(delivery_id, ticket, sent)


@action
def _claim(work: Work, delivery_id: str, ticket: int) -> Delivery | None:
    """The delivery, for as long as an attempt may take; None where there is nothing to send now."""
    delivery = lock_delivery(work, UUID(delivery_id))
    if delivery is None or delivery.status != Status.PENDING or delivery.ticket != ticket:
        return None
    job_id = current_job_id()
    is_own = job_id is not None and delivery.claimed_by == job_id
    if delivery.claimed_until is not None and delivery.claimed_until > work.now and not is_own:
        work.defer_at(delivery.claimed_until, attempt, delivery_id=delivery_id, ticket=ticket)
        return None
    delivery.claimed_by, delivery.claimed_until = job_id, work.now + CLAIM_LASTS
    return delivery


@action
def _put_off(work: Work, delivery_id: str) -> None:
    delivery = _release(work, delivery_id)
    if delivery.status == Status.PENDING:
        _schedule(work, delivery, work.now + timedelta(seconds=random.uniform(*NO_PLACE_SECONDS)))  # noqa: S311 - only spreads load


@action
def _put_to_rest(work: Work, delivery_id: str, status: Status) -> None:
    delivery = _release(work, delivery_id)
    delivery.status, delivery.next_attempt_at = status, None


@action
def _note(work: Work, delivery_id: str, ticket: int, sent: Sent) -> None:
    delivery = _release(work, delivery_id)
    kind = KINDS[delivery.kind]
    delivery.attempts += 1
    row = DeliveryAttempt(id=new_id(), at=work.now, delivery_id=delivery.id, number=delivery.attempts)
    row.address, row.milliseconds, row.answer = sent.address, sent.milliseconds, sent.answer
    row.outcome, row.status = sent.outcome, sent.status
    work.add(row)
    if sent.outcome is Outcome.DELIVERED:
        delivery.status, delivery.next_attempt_at = Status.DELIVERED, None
    elif delivery.ticket == ticket and delivery.status == Status.PENDING:
        _plan_next(work, kind, delivery, sent)
    kind.noted(work, delivery, sent)


def _plan_next(work: Work, kind: DeliveryKind, delivery: Delivery, sent: Sent) -> None:
    made = delivery.attempts - delivery.attempts_before
    pause = kind.schedule.pause_after(made, sent.retry_after, random.random())  # noqa: S311 - only spreads load
    if pause is None or (sent.status is not None and kind.is_final(sent.status)):
        delivery.status, delivery.next_attempt_at = Status.FAILED, None
    else:
        _schedule(work, delivery, work.now + pause)


def _release(work: Work, delivery_id: str) -> Delivery:
    delivery = lock_delivery(work, UUID(delivery_id))
    if delivery is None:
        raise RuntimeError(f"delivery {delivery_id} was dropped while it was being sent")
    delivery.claimed_by = delivery.claimed_until = None
    return delivery


@periodic("kernel:delivery:sweep", "*/10 * * * *")
def sweep_forgotten() -> None:
    """Send what is overdue and has no job any more: it failed for good, or a worker of an older release took it."""
    until_empty(_sweep_batch)


@action
def _sweep_batch(work: Work) -> int:
    overdue = select(Delivery).where(
        Delivery.status == Status.PENDING, Delivery.next_attempt_at < work.now - FORGOTTEN_AFTER
    )
    batch = work.session.scalars(overdue.limit(BATCH).with_for_update(skip_locked=True)).all()
    for delivery in batch:
        _schedule(work, delivery, work.now)
    return len(batch)


def lock_delivery(work: Work, delivery_id: UUID) -> Delivery | None:
    """The delivery as it is now, kept from others until the commit. A subscription is locked after it."""
    query = select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    return work.session.scalar(query.execution_options(populate_existing=True))


def _send(kind: DeliveryKind, message: Message, place: Place) -> Sent:
    started = time.monotonic()
    headers = {**message.headers, "Content-Length": str(len(message.body)), "User-Agent": "Cordillera"}
    try:
        response = outbound.send(
            "POST", message.url, headers=headers, content=message.body, timeout=SEND_SECONDS, place=place
        )
    except Problem as problem:
        return Sent(message.url, _since(started), _outcome_of(problem))
    answer = _beginning_of(response)
    outcome = outcome_of(response.status_code, is_success=kind.is_success(response.status_code))
    return Sent(
        message.url,
        _since(started),
        outcome,
        response.status_code,
        readable_beginning(answer, SHOWN_BYTES),
        retry_after_of(response.headers.get("Retry-After"), clock.now()),
    )


def _beginning_of(response: Any) -> bytes:
    """The first bytes of an answer. Its status counts, however the rest of it fares."""
    read = b""
    with suppress(BadGateway, GatewayTimeout):
        for chunk in outbound.chunks(response, MAX_ANSWER_BYTES, READ_SECONDS):
            read += chunk
            if len(read) >= SHOWN_BYTES:
                break
    response.close()
    return read


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _outcome_of(problem: BaseException) -> Outcome:
    """The end of an attempt that nobody answered."""
    if isinstance(problem, outbound.AddressRefused):
        return Outcome.ADDRESS
    if isinstance(problem, GatewayTimeout):
        return Outcome.TIMEOUT
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Outcome.TLS
        cause = cause.__cause__ or cause.__context__
    return Outcome.UNREACHABLE
