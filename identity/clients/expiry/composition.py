"""Composition of clients' credentials that end."""

from __future__ import annotations

from identity.clients.expiry.rules import TEMPLATES
from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """Their notices."""
    composition.notice_templates += TEMPLATES
