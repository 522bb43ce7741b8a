"""Needs of this block that another fulfils: the agencies and their officials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask

from kernel.base.errors import _
from kernel.base.slots import Slot
from kernel.jobs.access import AgencyRef

SCOPES: dict[str, Any] = {
    "communications.send": _("Send official communications and read what was sent"),
    "communications.receive": _("Read, acknowledge and reject official communications"),
    "directory.keys": _("Register and revoke the keys that the agency signs with"),
}
"""Scopes of this block's access tokens, and how an agency's administrator reads them."""


class Official(Protocol):
    """A person of an agency; without an address nobody writes to them."""

    @property
    def name(self) -> str: ...

    @property
    def email(self) -> str | None: ...

    @property
    def language(self) -> str: ...


class Agencies(Protocol):
    """The agencies and their officials."""

    def find(self, code: str) -> AgencyRef | None:
        """The agency of a state code, also one that has ended; None for an unknown one."""

    def all(self) -> list[AgencyRef]:
        """Every agency that exists today, by name."""

    def officials_of(self, code: str, role: str) -> Sequence[Official]:
        """List the officials who have a role (administrator, publisher, correspondent) there."""


@dataclass(frozen=True)
class Ports:
    """The ports that the wiring handed over."""

    agencies: Agencies


PORTS: Slot[Ports] = Slot("interoperability")


def install_ports(app: Flask, ports: Ports) -> None:
    """Called by the wiring."""
    PORTS.fill(app, ports)


def ports() -> Ports:
    return PORTS()
