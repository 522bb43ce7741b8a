"""Needs of the catalogue that another block fulfils; `portal/wiring.py` hands them over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flask import g

from kernel.base.slots import Slot
from kernel.jobs.access import AgencyRef
from kernel.outside.messages import Official


@dataclass(frozen=True)
class Credentials:
    """A client that was just made; its secret is shown once and kept nowhere."""

    client_id: str
    secret: str


class Agencies(Protocol):
    """The agencies of the state."""

    def find(self, code: str) -> AgencyRef | None: ...

    def officials_of(self, code: str, role: str) -> Sequence[Official]: ...


class MachineClients(Protocol):
    """The credentials of agencies' systems."""

    def create(
        self, *, name: str, agency_code: str, scopes: Sequence[str], service_binding: Mapping[str, str]
    ) -> Credentials: ...

    def revoke(self, client_id: str) -> None: ...


@dataclass(frozen=True)
class Ports:
    agencies: Agencies
    machine_clients: MachineClients
    token_address: Callable[[], str]
    """The address at which an agency's system gets its access token."""


PORTS: Slot[Ports] = Slot("catalogue")


def ports() -> Ports:
    return PORTS()


def agency_name(code: str) -> str:
    """The agency's name, or its code where nobody knows it; asked once a request."""
    names: dict[str, str] = g.setdefault("agency_names", {})
    if code not in names:
        agency = ports().agencies.find(code)
        names[code] = agency.name if agency else code
    return names[code]
