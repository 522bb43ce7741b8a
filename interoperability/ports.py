"""Needs of this block that another fulfils: the agencies and their officials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kernel.base.slots import Slot
from kernel.jobs.access import AgencyRef
from kernel.outside.messages import Official


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


def ports() -> Ports:
    return PORTS()
