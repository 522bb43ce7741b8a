"""Composition of the registry of clients."""

from __future__ import annotations

from identity.clients.registry.queries import names_of
from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The names of clients in the audit."""
    composition.audit_names["client"] = names_of
