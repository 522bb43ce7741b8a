"""Needs of identity that other blocks fulfil; `portal/wiring.py` hands them over where those others are deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel.base.slots import Slot
from kernel.jobs.access import Principal


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


AGENCY_TASKS: Slot[list[Callable[[Principal], list[AgencyTask]]]] = Slot("agency_tasks", list)
SERVICE_OWNERS: Slot[Callable[[str], str | None]] = Slot("service_owners", lambda: lambda code: None)
AGREEMENTS: Slot[Callable[[str], AgreementInForce | None]] = Slot("agreements", lambda: lambda code: None)


def agency_tasks(official: Principal) -> list[AgencyTask]:
    """List the tasks that wait for the official's agency, in every block that is deployed, as far as their roles let
    them do them.
    """
    return [task for source in AGENCY_TASKS() for task in source(official)]


def service_owner(code: str) -> str | None:
    """The code of the agency that offers a service of the catalogue; None if there is none, or no catalogue here."""
    return SERVICE_OWNERS()(code)


def agreement_in_force(code: str) -> AgreementInForce | None:
    """The active agreement of this code; None if there is none, or no catalogue here."""
    return AGREEMENTS()(code)
