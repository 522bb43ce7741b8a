"""Composition of agencies."""

from __future__ import annotations

from identity.agencies.queries import names_of
from kernel.composition import Composition


def compose(house: Composition) -> None:
    """The names of agencies in the audit."""
    house.audit_names["agency"] = names_of
