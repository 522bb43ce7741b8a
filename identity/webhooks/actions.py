"""Notices about subscriptions to which nothing is sent any more."""

from __future__ import annotations

from identity.clients.registry.queries import any_client, owners_of
from identity.officials.queries import officials_of
from identity.officials.rules import ADMINISTRATOR
from identity.webhooks.rules import DISABLED, REASONS, is_of_client
from kernel.outside.deliveries_subscriptions import find_subscription
from kernel.outside.messages import officials_at
from kernel.outside.notices import notify
from kernel.recording.work import Work, action


@action
def tell_owners(work: Work, subscription_id: str, reason: str) -> None:
    """Tell those who can mend its address that a subscription was disabled. Does nothing for one that is deleted."""
    subscription = find_subscription(subscription_id)
    if subscription is None:
        return
    _kind, _colon, name = subscription.owner.partition(":")
    if is_of_client(subscription.owner):
        readers = owners_of(any_client(name))
    else:
        readers = officials_at(name, officials_of(name, ADMINISTRATOR))
    notify(work, readers, DISABLED, name=subscription.name, url=subscription.url, reason=REASONS[reason])
