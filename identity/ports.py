"""What identity needs of others; `portal/wiring.py` hands it over where those others are deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app


@dataclass(frozen=True)
class AgreementInForce:
    """An active agreement: which agency (`consumer`, its code) may use which service of which other one, and why."""

    consumer: str
    service_name: str
    owner_name: str
    purpose: str
    audience: str
    """The service as an audience of tokens."""


def service_owner(code: str) -> str | None:
    """The code of the agency that offers a service of the catalogue; None if there is none, or no catalogue here."""
    find: Callable[[str], str | None] | None = current_app.extensions.get("cordillera.identity.service_owners")
    return find(code) if find else None


def agreement_in_force(code: str) -> AgreementInForce | None:
    """The active agreement of this code; None if there is none, or no catalogue here."""
    find: Callable[[str], AgreementInForce | None] | None = current_app.extensions.get("cordillera.identity.agreements")
    return find(code) if find else None
