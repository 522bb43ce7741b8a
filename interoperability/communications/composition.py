"""Composition of communications."""

from __future__ import annotations

from functools import partial

from flask_babel import lazy_gettext as _

from interoperability.communications.queries import unanswered
from interoperability.communications.rules import TEMPLATES, Status
from interoperability.communications.web import CORRESPONDENT, is_correspondent
from kernel.base.roles import Role
from kernel.composition import Composition
from kernel.outside.deliveries_events import EventType
from kernel.pages.layout import add_navigation
from kernel.recording.pending import PendingKind

COMMUNICATION = {
    "communication": "COM-2026-000001",
    "sender": "AE001",
    "href": "https://cordillera.example/api/v1/communications/COM-2026-000001",
}
EVENTS = (
    EventType(
        "communication.received",
        _("A communication was received"),
        _("It waits for its addressees, with its documents; each of them is told."),
        {**COMMUNICATION, "addressees": ["AE002", "AE003"]},
    ),
    EventType(
        "communication.acknowledged",
        _("A communication was acknowledged"),
        _("An addressee acknowledged its receipt; the sender and that addressee are told."),
        {**COMMUNICATION, "addressee": "AE002"},
    ),
    EventType(
        "communication.rejected",
        _("A communication was rejected"),
        _("An addressee rejected it, for reasons that are told where it is; the sender and that addressee are told."),
        {**COMMUNICATION, "addressee": "AE002"},
    ),
)


def compose(composition: Composition) -> None:
    """Correspondents, their boxes and what waits in them, and the scopes of systems that send and receive."""
    composition.notice_templates += TEMPLATES
    composition.machine_scopes |= {
        "communications.send": _("Send official communications"),
        "communications.receive": _("Receive official communications and answer them"),
    }
    composition.roles.append(Role(CORRESPONDENT, _("Correspondent"), _("official communications")))
    composition.api_texts.subjects.append("official communications and their evidence")
    composition.event_types += EVENTS
    composition.pending_kinds += [
        PendingKind(
            "communication-to-download",
            _("Communication not downloaded"),
            _("communications not downloaded yet"),
            "/agency/communications?status=available",
            partial(unanswered, Status.AVAILABLE),
            frozenset({CORRESPONDENT}),
        ),
        PendingKind(
            "communication-to-answer",
            _("Communication not answered"),
            _("communications downloaded and not answered"),
            "/agency/communications?status=downloaded",
            partial(unanswered, Status.DOWNLOADED),
            frozenset({CORRESPONDENT}),
        ),
    ]
    add_navigation(composition.app, _("Communications"), "communications.mailbox", is_correspondent, order=40)
