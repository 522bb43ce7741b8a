"""Composition of policies of token exchange."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.clients.token_exchange_policies.queries import count_to_decide
from identity.officials.rules import ADMINISTRATOR
from kernel.composition import AgencyTask, Composition
from kernel.jobs.access import Principal


def compose(house: Composition) -> None:
    """Requests that an agency has to answer."""
    house.agency_tasks.append(requests)


def requests(official: Principal) -> list[AgencyTask]:
    """List what other agencies ask of the official's clients."""
    if ADMINISTRATOR not in official.roles:
        return []
    count = count_to_decide(f"agency:{official.acting_agency.code}")
    return [AgencyTask(count, _("requests to call your clients"), "/agency/exchanges")]
