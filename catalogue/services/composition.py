"""Composition of services."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _

from catalogue.services.queries import count_returned, pending_versions
from kernel.composition import AgencyTask, Composition, PendingDecision
from kernel.jobs.access import Principal
from kernel.pages.layout import add_navigation


def compose(house: Composition) -> None:
    """The catalogue's page, its publishers, and what waits for them and for the authority."""
    house.machine_scopes["catalogue.publish"] = _("Describe services and send them for approval")
    house.api_texts.subjects.append("services")
    house.pending_decisions.append(pending_decisions)
    house.agency_tasks.append(returned_versions)
    add_navigation(house.app, _("Catalogue"), "services.catalogue", order=10)


def pending_decisions() -> list[PendingDecision]:
    """Versions of services, by the time of their submission."""
    return [
        PendingDecision(
            f"{version.service.name} {version.version}",
            version.submitted_at,
            url_for("services.review", code=version.service.code, version=version.version),
            _("Service"),
        )
        for version in pending_versions()
        if version.submitted_at
    ]


def returned_versions(official: Principal) -> list[AgencyTask]:
    """Versions that the authority gave back."""
    if not official.roles & {"administrator", "publisher"}:
        return []
    count = count_returned(official.acting_agency.code)
    return [AgencyTask(count, _("versions that the authority returned"), "/agency/services")]
