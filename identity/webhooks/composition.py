"""Composition of webhooks."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.webhooks.rules import TEMPLATES
from kernel.composition import Composition
from kernel.outside.deliveries_events import EventType

CLIENT = {
    "client_id": "0123456789abcdef0123456789abcdef",
    "href": "https://cordillera.example/api/v1/applications/0123456789abcdef0123456789abcdef",
}
EVENTS = (
    EventType(
        "client.approved",
        _("An application was approved"),
        _("The authority let it into an environment, or approved a change of it. `subject` says which."),
        {**CLIENT, "environment": "production", "subject": "environment"},
        of_clients=True,
    ),
    EventType(
        "client.refused",
        _("An application was returned"),
        _("The authority gave a request or a change back; the reasons are on its page. `subject` says which."),
        {**CLIENT, "environment": "production", "subject": "change"},
        of_clients=True,
    ),
    EventType(
        "client.credentials_expiring",
        _("A secret or key expires soon"),
        _("Sent a month and a week before; without a new one nobody can sign in any more."),
        {**CLIENT, "environment": "production", "ends_at": "2026-06-01T12:00:00+00:00"},
        of_clients=True,
    ),
    EventType(
        "client.revoked",
        _("An application or system was revoked"),
        _("Its credentials do not work any more. Its own subscriptions end with it."),
        {**CLIENT, "environment": "production"},
    ),
)


def compose(composition: Composition) -> None:
    """The scope of systems that manage subscriptions, and the events that concern clients."""
    composition.machine_scopes["webhooks.manage"] = _("Subscribe to events, and see what was sent")
    composition.api_texts.subjects.append("webhooks")
    composition.event_types += EVENTS
    composition.notice_templates += TEMPLATES
