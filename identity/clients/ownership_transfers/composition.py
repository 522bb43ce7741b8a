"""Composition of transfers of applications."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.clients.ownership_transfers.queries import pending_at
from identity.officials.rules import ADMINISTRATOR
from kernel.composition import AgencyTask, Composition
from kernel.jobs.access import Principal


def compose(house: Composition) -> None:
    """Applications that an agency is offered."""
    house.agency_tasks.append(offers)


def offers(official: Principal) -> list[AgencyTask]:
    """List what developers offer to the official's agency."""
    if ADMINISTRATOR not in official.roles:
        return []
    count = len(pending_at(official.acting_agency.code))
    return [AgencyTask(count, _("applications offered by developers"), "/agency/adoptions")]
