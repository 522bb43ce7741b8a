"""Composition of communications."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from interoperability.communications.queries import count_by_status
from interoperability.communications.web import is_correspondent
from kernel.composition import AgencyTask, Composition
from kernel.jobs.access import Principal
from kernel.pages.layout import add_navigation


def compose(house: Composition) -> None:
    """Correspondents, their boxes and what waits in them, and the scopes of systems that send and receive."""
    house.machine_scopes |= {
        "communications.send": _("Send official communications"),
        "communications.receive": _("Receive official communications and answer them"),
    }
    house.api_texts.subjects.append("official communications and their evidence")
    house.agency_tasks.append(unread)
    add_navigation(house.app, _("Communications"), "communications.mailbox", is_correspondent, order=40)


def unread(official: Principal) -> list[AgencyTask]:
    """Communications that nobody has downloaded, or answered."""
    if not is_correspondent(official):
        return []
    counts, inbox = count_by_status(official.acting_agency.code), "/agency/communications?status="
    return [
        AgencyTask(counts.get("available", 0), _("communications not downloaded yet"), f"{inbox}available"),
        AgencyTask(counts.get("downloaded", 0), _("communications downloaded and not answered"), f"{inbox}downloaded"),
    ]
