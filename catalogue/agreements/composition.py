"""Composition of agreements."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from catalogue.agreements.queries import count_to_answer
from kernel.composition import AgencyTask, Composition
from kernel.jobs.access import Principal


def compose(house: Composition) -> None:
    """Their scope, and requests that wait for an answer."""
    house.machine_scopes["catalogue.agreements"] = _("Ask for agreements and read them")
    house.api_texts.subjects.append("agreements")
    house.agency_tasks.append(requests)


def requests(official: Principal) -> list[AgencyTask]:
    """Requests to use the agency's services."""
    if not official.roles & {"administrator", "publisher"}:
        return []
    count = count_to_answer(official.acting_agency.code)
    return [AgencyTask(count, _("requests to use your services"), "/agency/agreements?side=owner")]
