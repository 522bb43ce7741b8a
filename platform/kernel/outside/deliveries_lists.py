"""Deliveries as their owners and operators see them: lists, attempts, another try, and how far they are behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from flask import Flask
from prometheus_client.metrics_core import GaugeMetricFamily
from sqlalchemy import CompoundSelect, Select, func, select
from sqlalchemy.orm import Session

from kernel.base import clock
from kernel.base.errors import Conflict, NotFound, _
from kernel.database.db import session
from kernel.database.pagination import Page, page
from kernel.jobs.jobs import job
from kernel.outside.deliveries import Delivery, DeliveryAttempt, lock_delivery, send_again
from kernel.outside.deliveries_rules import Status
from kernel.recording.metrics import add_figures
from kernel.recording.work import Work, action

Owners: TypeAlias = Sequence[str] | Select[tuple[str]] | CompoundSelect[tuple[str]]
"""The owners for whom somebody may look: their names, or a query that finds them."""
BATCH = 200


class StillSending(Conflict):
    kind = "delivery-still-sending"
    title = _("This is being sent already")
    explanation = _("Its next attempt is about to be made, or is being made. Nothing was changed.")
    remedy = _("Wait for a few minutes and look at its attempts.")


def deliveries_page(
    owners: Owners,
    *,
    subscription_id: UUID | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Page[Delivery]:
    """Deliveries, the newest first. Raises Invalid for a cursor that is not ours."""
    query = select(Delivery).where(Delivery.owner.in_(owners))
    if subscription_id is not None:
        query = query.where(Delivery.subscription_id == subscription_id)
    if status:
        query = query.where(Delivery.status == status)
    return page(session(), query, [Delivery.id], cursor=cursor, limit=limit)


def get_delivery(owners: Owners, delivery_id: UUID) -> Delivery:
    """One delivery of theirs. Raises NotFound."""
    delivery = session().scalar(select(Delivery).where(Delivery.id == delivery_id, Delivery.owner.in_(owners)))
    if delivery is None:
        raise NotFound()
    return delivery


def attempts_of(delivery_id: UUID) -> Sequence[DeliveryAttempt]:
    """The attempts of a delivery in their order."""
    query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id)
    return session().scalars(query.order_by(DeliveryAttempt.id).limit(500)).all()


@action
def replay(work: Work, owners: Owners, delivery_id: UUID) -> Delivery:
    """Send one delivery again, at once and under its old name. Raises NotFound, StillSending."""
    get_delivery(owners, delivery_id)
    delivery = lock_delivery(work, delivery_id)
    if delivery is None:
        raise NotFound()
    is_due = delivery.next_attempt_at is not None and delivery.next_attempt_at <= work.now
    is_claimed = delivery.claimed_until is not None and delivery.claimed_until > work.now
    if delivery.status == Status.PENDING and (is_due or is_claimed):
        raise StillSending(log=str(delivery_id))
    send_again(work, delivery)
    work.record("kernel:delivery:replayed", delivery, owner=delivery.owner, topic=delivery.topic)
    return delivery


@job("kernel:delivery:replay-since")
def replay_since(subscription_id: str, since: str, until: str, only_failed: bool) -> None:
    """Send a subscription's deliveries of a time again, a batch each time."""
    last: str | None = ""
    while last is not None:
        last = _replay_batch(subscription_id, since, until, only_failed, last)


@action
def _replay_batch(
    work: Work, subscription_id: str, since: str, until: str, only_failed: bool, after: str
) -> str | None:
    ready = [Status.FAILED, Status.HELD] if only_failed else [Status.FAILED, Status.HELD, Status.DELIVERED]
    query = select(Delivery).where(
        Delivery.subscription_id == UUID(subscription_id),
        Delivery.at >= datetime.fromisoformat(since),
        Delivery.at < datetime.fromisoformat(until),
        Delivery.status.in_(ready),
    )
    if after:
        query = query.where(Delivery.id > UUID(after))
    batch = work.session.scalars(query.order_by(Delivery.id).limit(BATCH).with_for_update()).all()
    for delivery in batch:
        send_again(work, delivery)
    return str(batch[-1].id) if len(batch) == BATCH else None


def install_deliveries(app: Flask) -> None:
    """Let `/metrics` tell how many deliveries are due, and since when."""
    add_figures(app, _figures)


def _figures(session: Session) -> Iterator[GaugeMetricFamily]:
    now = clock.now()
    query = select(func.count(), func.min(Delivery.next_attempt_at)).where(
        Delivery.status == Status.PENDING, Delivery.next_attempt_at <= now
    )
    count, oldest = session.execute(query).one()
    due = GaugeMetricFamily("cordillera_deliveries_due", "Deliveries whose next attempt is due")
    due.add_metric([], count)
    lag = GaugeMetricFamily("cordillera_delivery_lag_seconds", "How long the oldest of them has been due")
    lag.add_metric([], (now - oldest).total_seconds() if oldest else 0)
    yield from (due, lag)
