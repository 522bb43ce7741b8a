"""Needs of identity that other blocks fulfil; `portal/wiring.py` hands them over where those others are deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernel.base.slots import Slot


@dataclass(frozen=True)
class AgreementInForce:
    """An active agreement: which agency (`consumer`, its code) may use which service of which other one, and why."""

    consumer: str
    service_name: str
    owner_name: str
    purpose: str
    audience: str
    """The service as an audience of tokens."""


SERVICE_OWNERS: Slot[Callable[[str], str | None]] = Slot("service_owners", lambda: lambda code: None)
OPEN_REGISTRATION: Slot[bool] = Slot("open_registration", bool)
"""Whether anybody may register a client, which then is one to try things out with."""
AGREEMENTS: Slot[Callable[[str], AgreementInForce | None]] = Slot("agreements", lambda: lambda code: None)


def service_owner(code: str) -> str | None:
    """The code of the agency that offers a service of the catalogue; None if there is none, or no catalogue here."""
    return SERVICE_OWNERS()(code)


def agreement_in_force(code: str) -> AgreementInForce | None:
    """The active agreement of this code; None if there is none, or no catalogue here."""
    return AGREEMENTS()(code)
