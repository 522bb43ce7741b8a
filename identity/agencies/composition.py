"""Composition of agencies."""

from __future__ import annotations

from identity.agencies.queries import names_of
from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The names of agencies in the audit."""
    composition.audit_names["agency"] = names_of
