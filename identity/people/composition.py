"""Composition of people."""

from __future__ import annotations

from identity.people.queries import names_of
from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The names of people in the audit."""
    composition.audit_names["person"] = names_of
