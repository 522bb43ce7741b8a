"""Composition of clients' credentials that end."""

from __future__ import annotations

from identity.clients.expiry.rules import TEMPLATES
from kernel.composition import Composition


def compose(house: Composition) -> None:
    """Their notices."""
    house.notice_templates += TEMPLATES
