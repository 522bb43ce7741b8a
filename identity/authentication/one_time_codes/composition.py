"""Composition of the second step."""

from __future__ import annotations

from identity.authentication.one_time_codes.rules import TEMPLATES
from kernel.composition import Composition


def compose(house: Composition) -> None:
    """Their notices."""
    house.notice_templates += TEMPLATES
