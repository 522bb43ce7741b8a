"""Composition of the second step."""

from __future__ import annotations

from identity.authentication.one_time_codes.rules import TEMPLATES
from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """Their notices."""
    composition.notice_templates += TEMPLATES
