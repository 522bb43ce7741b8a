"""Words for what was sent to others' servers, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping

from identity.officials.rules import ADMINISTRATOR
from kernel.base.errors import Text, _, in_context
from kernel.base.notices import NoticeTemplate

STATES: Mapping[str, tuple[Text, str]] = {
    "active": (in_context("subscription", "Active"), "ok"),
    "paused": (_("Paused"), "waiting"),
    "disabled": (_("Disabled"), "problem"),
}
"""The states of a subscription, in words and in the colour of each."""
STATUSES: Mapping[str, tuple[Text, str]] = {
    "pending": (_("Being sent"), "waiting"),
    "delivered": (_("Arrived"), "ok"),
    "failed": (_("Given up"), "problem"),
    "held": (_("Not sent"), "attention"),
    "cancelled": (_("Cancelled"), "neutral"),
}
"""The statuses of a delivery."""
OUTCOMES: Mapping[str, Text] = {
    "delivered": _("It arrived."),
    "status": _("The server answered that it could not take it."),
    "redirect": _("The server sent us to another address, and we follow none: write the new one here."),
    "timeout": _("The server did not answer in time."),
    "tls": _("No secure connection: its certificate is not valid for this address, or it does not speak TLS."),
    "unreachable": _("The server could not be reached."),
    "address": _("The address is not a public one, so it was not called."),
}
"""The ends of an attempt, each with what to do where there is something."""
REASONS: Mapping[str, Text] = {
    "gone": _("The server answered 410 Gone: it wants no more notices."),
    "failing": _("Nothing has arrived for days."),
}
"""Reasons for which a subscription was disabled."""


def is_of_client(party: str) -> bool:
    """Whether the party is an application, which is offered the events about itself."""
    return party.startswith("client:")


DISABLED = NoticeTemplate(
    kind="applications.subscription-disabled",
    group=_("Applications"),
    label=_("Nothing is sent to a subscription any more"),
    title=_("Notices of %(name)s are no longer sent"),
    text=_(
        "We no longer send notices of “%(name)s” to %(url)s.\n\n%(reason)s\n\n"
        "Mend the server, resume the subscription on its page, and have what was not sent sent again from there."
    ),
    roles=frozenset({ADMINISTRATOR}),
)
TEMPLATES = (DISABLED,)
