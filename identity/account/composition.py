"""Composition of the account."""

from __future__ import annotations

from kernel.composition import Composition
from kernel.pages.layout import set_place


def compose(composition: Composition) -> None:
    """Its place in the header."""
    set_place(composition.app, "account", "account.home")
