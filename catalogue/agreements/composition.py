"""Composition of agreements."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from catalogue.agreements.queries import requests_to
from catalogue.agreements.rules import TEMPLATES
from kernel.composition import Composition
from kernel.outside.deliveries_events import EventType
from kernel.recording.pending import PendingKind

AGREEMENT = {
    "agreement": "ACU-2026-000001",
    "service": "SRV-000001",
    "version": "v1",
    "owner": "AE001",
    "consumer": "AE002",
    "href": "https://cordillera.example/api/v1/agreements/ACU-2026-000001",
}
EVENTS = (
    EventType(
        "agreement.requested",
        _("An agreement was requested"),
        _("An agency asks for a service of another one, which has to answer within the term of the law."),
        {**AGREEMENT, "status": "requested"},
    ),
    EventType(
        "agreement.activated",
        _("An agreement is in force"),
        _("The owner approved it, or it goes on after it was suspended."),
        {**AGREEMENT, "status": "active"},
    ),
    EventType(
        "agreement.refused",
        _("An agreement was refused"),
        _("The reasons are told where the agreement is."),
        {**AGREEMENT, "status": "refused"},
    ),
    EventType(
        "agreement.suspended",
        _("An agreement was suspended"),
        _("No call passes until the side that suspended it resumes it."),
        {**AGREEMENT, "status": "suspended"},
    ),
    EventType(
        "agreement.ended",
        _("An agreement ended"),
        _("Its credentials do not work any more."),
        {**AGREEMENT, "status": "ended"},
    ),
)


def compose(composition: Composition) -> None:
    """Their scope and events, and requests that wait for an answer."""
    composition.notice_templates += TEMPLATES
    composition.machine_scopes["catalogue.agreements"] = _("Ask for agreements and read them")
    composition.api_texts.subjects.append("agreements")
    composition.event_types += EVENTS
    composition.pending_kinds.append(
        PendingKind(
            "agreement-request",
            _("Request to use a service"),
            _("requests to use your services"),
            "/agency/agreements?side=owner",
            requests_to,
            frozenset({"administrator", "publisher"}),
        )
    )
