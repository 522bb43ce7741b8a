"""Mails about subscriptions to which nothing is sent any more."""

from __future__ import annotations

from flask_babel import gettext

from identity.clients.registry.actions import notify_owners
from identity.clients.registry.queries import any_client
from identity.officials.queries import officials_of
from identity.webhooks.rules import REASONS, is_of_client
from kernel.outside.deliveries_subscriptions import Subscription, find_subscription
from kernel.outside.mail import Letter, write_to
from kernel.recording.work import Work, action


@action
def tell_owners(work: Work, subscription_id: str, reason: str) -> None:
    """Tell those who can mend its address that a subscription was disabled. Does nothing for one that is deleted."""
    subscription = find_subscription(subscription_id)
    if subscription is None:
        return
    _kind, _colon, name = subscription.owner.partition(":")
    if is_of_client(subscription.owner):
        notify_owners(work, any_client(name), lambda: _disabled(subscription, reason))
    else:
        write_to(work, officials_of(name, "administrator"), lambda: _disabled(subscription, reason))


def _disabled(subscription: Subscription, reason: str) -> Letter:
    text = gettext(
        "We no longer send notices of “%(name)s” to %(url)s.\n\n%(reason)s\n\n"
        "Mend the server, resume the subscription on its page, and have what was not sent sent again from there.\n",
        name=subscription.name,
        url=subscription.url,
        reason=REASONS[reason],
    )
    return Letter(gettext("Notices of %(name)s are no longer sent", name=subscription.name), text)
