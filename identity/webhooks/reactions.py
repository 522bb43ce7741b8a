"""Reactions: events of clients are published, and their subscriptions end with them; disabled ones are told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from identity.clients.registry.queries import any_client
from identity.clients.registry.rules import client_party
from identity.webhooks import actions
from kernel.base.installation import own_address
from kernel.outside.deliveries_subscriptions import delete_subscriptions_of
from kernel.outside.deliveries_webhooks import publish
from kernel.recording.reactions import Event, follows, reacts_to
from kernel.recording.work import Work

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@reacts_to("identity:client:environment-approved", "identity:client:change-approved")
def publish_approved(work: Work, event: Event) -> None:
    """Tell that the authority approved an application, or a change of it."""
    _publish(work, "client.approved", event, subject=_subject(event))


@reacts_to("identity:client:environment-returned", "identity:client:change-returned")
def publish_refused(work: Work, event: Event) -> None:
    """Tell that the authority gave something back; why is for its owners to read."""
    _publish(work, "client.refused", event, subject=_subject(event))


@reacts_to("identity:client:owner-warned")
def publish_expiring(work: Work, event: Event) -> None:
    """Tell that a secret or key ends soon."""
    _publish(work, "client.credentials_expiring", event, ends_at=event.detail["ends_at"])


@reacts_to("identity:client:revoked")
def publish_revoked(work: Work, event: Event) -> None:
    """Tell that a client ended, and end its own subscriptions."""
    _publish(work, "client.revoked", event)
    end_subscriptions(work, event)


def _subject(event: Event) -> str:
    return "environment" if ":environment-" in event.tag else "change"


def _publish(work: Work, name: str, event: Event, **more: str) -> None:
    client = any_client(event.subject_id)
    data = {"client_id": client.client_id, "href": _address(client), "environment": client.environment, **more}
    publish(work, name, data, to=[str(client.owner), client_party(client.client_id)])


def _address(client: Client) -> str:
    is_system = client.profile == "machine"
    return own_address(f"{'/agency/systems' if is_system else '/api/v1/applications'}/{client.client_id}")


@reacts_to("identity:client:adopted", "identity:client:swept")
def end_subscriptions(work: Work, event: Event) -> None:
    """End an application's subscriptions: to their addresses goes nothing of what is somebody else's now."""
    delete_subscriptions_of(work, client_party(event.subject_id))


@follows("kernel:subscription:disabled", name="identity:webhook:follow-disabled")
def tell_owners(event: Event) -> None:
    """Write to those who can mend an address to which nothing is sent any more."""
    actions.tell_owners(event.subject_id, event.detail["reason"])
