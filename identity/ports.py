"""What identity needs of others; `portal/wiring.py` hands it over where those others are deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import current_app

from kernel.access import Principal


@dataclass(frozen=True)
class AgreementInForce:
    """An active agreement: which agency (`consumer`, its code) may use which service of which other one, and why."""

    consumer: str
    service_name: str
    owner_name: str
    purpose: str
    audience: str
    """The service as an audience of tokens."""


@dataclass(frozen=True)
class AgencyTask:
    """Something that waits for an agency: how many of them, what they are (a word for people), and where."""

    count: int
    label: Any
    href: str


def agency_tasks(official: Principal) -> list[AgencyTask]:
    """What waits for the official's agency, in every block that is deployed, of what their roles let them do."""
    sources: list[Callable[[Principal], list[AgencyTask]]] = current_app.extensions.get("cordillera.agency_tasks", [])
    return [task for source in sources for task in source(official)]


def service_owner(code: str) -> str | None:
    """The code of the agency that offers a service of the catalogue; None if there is none, or no catalogue here."""
    find: Callable[[str], str | None] | None = current_app.extensions.get("cordillera.identity.service_owners")
    return find(code) if find else None


def agreement_in_force(code: str) -> AgreementInForce | None:
    """The active agreement of this code; None if there is none, or no catalogue here."""
    find: Callable[[str], AgreementInForce | None] | None = current_app.extensions.get("cordillera.identity.agreements")
    return find(code) if find else None
