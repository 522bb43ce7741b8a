"""Webhooks: events on their way to those who subscribed to them (Standard Webhooks 1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from standardwebhooks import Webhook

from kernel.base import clock
from kernel.base.ids import new_id
from kernel.database.db import session
from kernel.outside.deliveries import Delivery, DeliveryKind, Message, Sent, deliver, delivery_kind
from kernel.outside.deliveries_events import TEST, OutgoingEvent, find_event, payload_of
from kernel.outside.deliveries_lists import Owners
from kernel.outside.deliveries_rules import THREE_DAYS, Outcome, Status
from kernel.outside.deliveries_subscriptions import (
    State,
    Subscription,
    bring_into,
    lock_of,
    lock_subscription,
    refuse_inactive,
    signing_secrets,
)
from kernel.recording.work import Work, action

FAILS_FOR = timedelta(days=2)
"""A subscription of which nothing arrived for so long is disabled as soon as a delivery is given up."""
GONE = 410


def agencies(*codes: str) -> list[str]:
    """Agencies as the owners of subscriptions."""
    return [f"agency:{code}" for code in codes]


def publish(work: Work, type_name: str, data: Mapping[str, Any], *, to: Sequence[str] | None) -> None:
    """Tell those who subscribed to it of an event, in the transaction of what happened.

    to: the owners who may know of it, as `agency:code` or `client:id`; None for everybody. data: identifiers and links,
    no personal data.
    """
    query = select(Subscription).where(Subscription.types.contains([type_name]))
    if to is not None:
        query = query.where(Subscription.owner.in_(to))
    subscriptions = work.session.scalars(query.order_by(Subscription.id)).all()
    if not subscriptions:
        return
    event = _insert_event(work, type_name, data)
    for subscription in subscriptions:
        _deliver(work, subscription, event)


def _insert_event(work: Work, type_name: str, data: Mapping[str, Any]) -> OutgoingEvent:
    event = OutgoingEvent(id=new_id(), at=work.now, type=type_name, data=dict(data))
    work.add(event)
    return event


def _deliver(work: Work, subscription: Subscription, event: OutgoingEvent) -> Delivery:
    return deliver(
        work,
        WEBHOOK,
        owner=subscription.owner,
        topic=event.type,
        arguments={"event": str(event.id)},
        subscription_id=subscription.id,
        is_held=subscription.state != State.ACTIVE,
    )


def _make(delivery: Delivery) -> Message | Status:
    subscription = session().get(Subscription, delivery.subscription_id)
    event = find_event(UUID(delivery.arguments["event"]))
    if subscription is None or event is None:
        return Status.CANCELLED
    if subscription.state != State.ACTIVE:
        return Status.HELD
    body, now = payload_of(event), clock.now()
    signatures = [Webhook(secret).sign(str(delivery.id), now, body) for secret in signing_secrets(subscription, now)]
    headers = {
        "Content-Type": "application/json",
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Message(subscription.url, headers, body.encode())


def _note(work: Work, delivery: Delivery, sent: Sent) -> None:
    """Notice whether anything arrives, and disable what is gone or fails for days."""
    subscription = lock_subscription(work, delivery.subscription_id)
    if subscription is None:
        return
    if sent.outcome is Outcome.DELIVERED and subscription.failing_since is not None:
        subscription.failing_since = None
        work.record("kernel:subscription:recovered", subscription, owner=subscription.owner)
    elif sent.outcome is not Outcome.DELIVERED and subscription.failing_since is None:
        subscription.failing_since = work.now
        work.record("kernel:subscription:failing", subscription, owner=subscription.owner, outcome=sent.outcome)
    reason = _reason_to_disable(subscription, delivery, sent, work.now)
    if reason and subscription.state == State.ACTIVE:
        bring_into(work, subscription, State.DISABLED, reason)
        work.record("kernel:subscription:disabled", subscription, owner=subscription.owner, reason=reason)


def _reason_to_disable(subscription: Subscription, delivery: Delivery, sent: Sent, now: datetime) -> str:
    # Standard Webhooks, "Delivery": 410 Gone says that the receiver wants no more of it.
    if sent.status == GONE:
        return "gone"
    fails_since = subscription.failing_since if delivery.status == Status.FAILED else None
    return "failing" if fails_since is not None and fails_since <= now - FAILS_FOR else ""


WEBHOOK = delivery_kind(
    DeliveryKind(
        "kernel:webhook",
        make=_make,
        schedule=THREE_DAYS,
        is_success=lambda status: 200 <= status < 300,
        is_final=lambda status: status == GONE,
        noted=_note,
    )
)


@action
def send_test(work: Work, owners: Owners, subscription_id: UUID) -> Delivery:
    """Send a test event to one subscription. Raises NotFound, NotActive."""
    subscription = lock_of(work, owners, subscription_id)
    refuse_inactive(subscription)
    event = _insert_event(work, TEST.name, {"subscription": str(subscription.id)})
    delivery = _deliver(work, subscription, event)
    work.record("kernel:subscription:tested", subscription, owner=subscription.owner)
    return delivery
