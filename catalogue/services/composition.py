"""Composition of services."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from catalogue.services.queries import returned_versions, submitted_versions
from kernel.base.roles import Role
from kernel.composition import Composition
from kernel.outside.deliveries_events import EventType
from kernel.pages.layout import add_navigation
from kernel.recording.pending import PendingKind

EVENTS = (
    EventType(
        "service.published",
        _("A service was published"),
        _("A version of it can be asked for. Every agency is told that subscribes, because the catalogue is public."),
        {
            "service": "SRV-000001",
            "version": "v1",
            "owner": "AE001",
            "href": "https://cordillera.example/api/v1/services/SRV-000001",
        },
    ),
)


def compose(composition: Composition) -> None:
    """The catalogue's page, its publishers and its event, and what waits for them and for the authority."""
    composition.machine_scopes["catalogue.publish"] = _("Describe services and send them for approval")
    composition.api_texts.subjects.append("services")
    composition.event_types += EVENTS
    # Ley 21.180: the coordinator of digital transformation answers for what an agency offers the others.
    leads = frozenset({"digital_officer"})
    composition.roles.append(Role("publisher", _("Publisher"), _("services and agreements"), follows_from=leads))
    composition.pending_kinds += [
        PendingKind(
            "service-version",
            _("Service"),
            _("services to review"),
            "/authority/services",
            submitted_versions,
            frozenset({"authority"}),
            is_for_authority=True,
        ),
        PendingKind(
            "returned-version",
            _("Returned service"),
            _("versions that the authority returned"),
            "/agency/services",
            returned_versions,
            frozenset({"administrator", "publisher"}),
        ),
    ]
    add_navigation(composition.app, _("Catalogue"), "services.catalogue", order=10)
