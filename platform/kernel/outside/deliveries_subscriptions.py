"""Subscriptions to events, with the secrets that sign them.

A subscription is of an agency or of a client; the kernel knows it by the name of its owner alone.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, delete, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.crypto import seal, unseal
from kernel.base.errors import Conflict, Invalid, NotFound, _
from kernel.base.ids import new_id
from kernel.base.installation import settings
from kernel.base.text import fault_of_line
from kernel.database.db import Base, Identified, session
from kernel.database.pagination import Page, page
from kernel.outside.deliveries_events import event_types
from kernel.outside.deliveries_lists import Owners, replay_since
from kernel.outside.outbound import AddressRefused, check_url
from kernel.recording.work import Work, action, release_connection

SECRET_BYTES = 32
OVERLAP = timedelta(hours=24)
"""The time for which the secret before goes on signing beside the new one."""
MOST = 50
LONGEST_URL, LONGEST_NAME = 500, 100
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class State(StrEnum):
    """The state of a subscription: only an active one is sent anything."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class TooManySubscriptions(Conflict):
    kind = "too-many-subscriptions"
    title = _("There are as many subscriptions as there may be")
    explanation = _("An agency or an application has 50 subscriptions at most. Nothing was changed.")
    remedy = _("Delete one that is no longer used, or choose more events in one of them.")


class NotActive(Conflict):
    kind = "subscription-not-active"
    title = _("This subscription is paused or disabled")
    explanation = _("Nothing is sent to it until it is resumed.")
    remedy = _("Resume the subscription first.")


class Subscription(Identified, Base):
    """An address to which some types of event are sent.

    Secrets are sealed under the master key. `state_since` is when it was last paused, disabled or resumed; `reason`
    says why it was disabled: `gone`, `failing`. `failing_since` is the first failure after which nothing arrived.
    """

    __tablename__ = "webhook_subscription"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'disabled')", name="state"),
        Index("ix_webhook_subscription_owner_id", "owner", "id"),
    )

    owner: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    types: Mapped[list[str]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    state_since: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_previous: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class SubscriptionFacts:
    """The address and the events of a subscription, as `prepare_subscription` made sure of them."""

    name: str
    url: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class NewSecret:
    """A subscription, and its secret, which is told this once."""

    subscription: Subscription
    secret: str


def subscriptions_page(owners: Owners, *, cursor: str | None = None, limit: int | None = None) -> Page[Subscription]:
    """The subscriptions of these owners, the newest first. Raises Invalid for a cursor that is not ours."""
    query = select(Subscription).where(Subscription.owner.in_(owners))
    return page(session(), query, [Subscription.id], cursor=cursor, limit=limit)


def get_subscription(owners: Owners, subscription_id: UUID) -> Subscription:
    """One subscription of theirs. Raises NotFound."""
    query = select(Subscription).where(Subscription.id == subscription_id, Subscription.owner.in_(owners))
    subscription = session().scalar(query)
    if subscription is None:
        raise NotFound()
    return subscription


def find_subscription(name: str) -> Subscription | None:
    """The subscription that a record names; None once it is deleted."""
    return session().get(Subscription, UUID(name))


def prepare_subscription(name: str, url: str, types: Collection[str], *, of_client: bool) -> SubscriptionFacts:
    """Check what is asked for, and look the address up: before the action. Raises Invalid."""
    wrong: dict[str, list[Any]] = {}
    name, url = name.strip(), url.strip()
    if not name or len(name) > LONGEST_NAME or fault_of_line(name):
        wrong["name"] = [_("Write a name of up to 100 characters.")]
    offered = [one.name for one in event_types().values() if one.of_clients or not of_client]
    chosen = tuple(one for one in offered if one in types)
    if not chosen or len(chosen) != len(set(types)):
        wrong["types"] = [_("Choose one or more of the events offered.")]
    if message := _fault_of(url):
        wrong["url"] = [message]
    if wrong:
        raise Invalid(fields=wrong)
    release_connection()
    try:
        check_url(url)
    except AddressRefused as refused:
        raise Invalid(fields={"url": [refused.detail or refused.title]}, log=refused.log) from refused
    return SubscriptionFacts(name, url, chosen)


def _fault_of(url: str) -> Any:
    """The syntax alone; http is for a server on the very machine, where no production runs."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL or "#" in url:
        return _("Write an https address of up to 500 characters, without spaces and without #.")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return _("Write an https address, such as https://hooks.agencia.cl/cordillera.")
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK and not settings().is_production
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        return _("Write an https address, such as https://hooks.agencia.cl/cordillera.")
    return None


@action
def create_subscription(work: Work, owner: str, facts: SubscriptionFacts) -> NewSecret:
    """Subscribe to events; the secret is told this once. Raises TooManySubscriptions."""
    ours = select(Subscription.id).where(Subscription.owner == owner).limit(MOST)
    if len(work.session.scalars(ours).all()) >= MOST:
        raise TooManySubscriptions(log=owner)
    subscription = Subscription(
        id=new_id(),
        owner=owner,
        name=facts.name,
        url=facts.url,
        types=list(facts.types),
        state=State.ACTIVE,
        state_since=work.now,
        reason="",
        created_at=work.now,
    )
    secret = _new_secret(subscription)
    work.add(subscription)
    work.record("kernel:subscription:created", subscription, owner=owner, url=facts.url, types=list(facts.types))
    return NewSecret(subscription, secret)


@action
def change_subscription(work: Work, owners: Owners, subscription_id: UUID, facts: SubscriptionFacts) -> Subscription:
    """Replace name, address and events. Raises NotFound."""
    subscription = lock_of(work, owners, subscription_id)
    before = {"name": subscription.name, "url": subscription.url, "types": subscription.types}
    subscription.name, subscription.url, subscription.types = facts.name, facts.url, list(facts.types)
    after = {"name": facts.name, "url": facts.url, "types": list(facts.types)}
    work.record("kernel:subscription:changed", subscription, owner=subscription.owner, before=before, after=after)
    return subscription


@action
def rotate_secret(work: Work, owners: Owners, subscription_id: UUID) -> NewSecret:
    """A new secret, told this once; the one before signs beside it for a day. Raises NotFound."""
    subscription = lock_of(work, owners, subscription_id)
    subscription.sealed_previous, subscription.previous_until = subscription.sealed_secret, work.now + OVERLAP
    secret = _new_secret(subscription)
    work.record("kernel:subscription:secret-rotated", subscription, owner=subscription.owner)
    return NewSecret(subscription, secret)


@action
def pause(work: Work, owners: Owners, subscription_id: UUID) -> Subscription:
    """Send nothing until it is resumed; what happens meanwhile is held. Does nothing the second time."""
    subscription = lock_of(work, owners, subscription_id)
    if subscription.state == State.ACTIVE:
        bring_into(work, subscription, State.PAUSED)
        work.record("kernel:subscription:paused", subscription, owner=subscription.owner)
    return subscription


@action
def resume(work: Work, owners: Owners, subscription_id: UUID) -> Subscription:
    """Send again what happens from now on. What was held is sent by `replay`. Does nothing the second time."""
    subscription = lock_of(work, owners, subscription_id)
    if subscription.state != State.ACTIVE:
        bring_into(work, subscription, State.ACTIVE)
        subscription.failing_since = None
        work.record("kernel:subscription:resumed", subscription, owner=subscription.owner)
    return subscription


@action
def delete_subscription(work: Work, owners: Owners, subscription_id: UUID) -> None:
    """End a subscription; what is still to be sent is not. Raises NotFound."""
    subscription = lock_of(work, owners, subscription_id)
    work.record("kernel:subscription:deleted", subscription, owner=subscription.owner, url=subscription.url)
    work.session.delete(subscription)


def delete_subscriptions_of(work: Work, owner: str) -> None:
    """End every subscription of an owner, for the reason that the change's own record gives."""
    work.session.execute(delete(Subscription).where(Subscription.owner == owner))


@action
def replay(work: Work, owners: Owners, subscription_id: UUID, since: datetime, *, only_failed: bool) -> None:
    """Send everything since a time again, under the old names. only_failed: but for what arrived.

    Raises NotFound, NotActive.
    """
    subscription = lock_of(work, owners, subscription_id)
    refuse_inactive(subscription)
    period = {"since": since.isoformat(), "until": work.now.isoformat()}
    work.defer(replay_since, subscription_id=str(subscription.id), only_failed=only_failed, **period)
    work.record(
        "kernel:subscription:replayed", subscription, owner=subscription.owner, only_failed=only_failed, **period
    )


def refuse_inactive(subscription: Subscription) -> None:
    """Raises NotActive unless something may be sent."""
    if subscription.state != State.ACTIVE:
        raise NotActive(log=str(subscription.id))


def bring_into(work: Work, subscription: Subscription, state: State, reason: str = "") -> None:
    """Set the state of a locked subscription."""
    subscription.state, subscription.state_since, subscription.reason = state, work.now, reason


def lock_of(work: Work, owners: Owners, subscription_id: UUID) -> Subscription:
    """One subscription of theirs, kept from others until the commit. Raises NotFound."""
    get_subscription(owners, subscription_id)
    subscription = lock_subscription(work, subscription_id)
    if subscription is None:
        raise NotFound()
    return subscription


def lock_subscription(work: Work, subscription_id: UUID | None) -> Subscription | None:
    """The subscription as it is now, kept from others until the commit; None once it is deleted."""
    query = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    return work.session.scalar(query.execution_options(populate_existing=True))


def _new_secret(subscription: Subscription) -> str:
    plain = secrets.token_bytes(SECRET_BYTES)
    subscription.sealed_secret = seal(settings().master_key, plain, _identity(subscription))
    return f"whsec_{base64.b64encode(plain).decode()}"


def signing_secrets(subscription: Subscription, now: datetime) -> list[bytes]:
    """The secrets that sign now, the newest first."""
    sealed = [subscription.sealed_secret]
    if subscription.sealed_previous and subscription.previous_until and subscription.previous_until > now:
        sealed.append(subscription.sealed_previous)
    return [unseal(settings().master_key, one, _identity(subscription)) for one in sealed]


def _identity(subscription: Subscription) -> str:
    return f"webhook_subscription:{subscription.id}"
