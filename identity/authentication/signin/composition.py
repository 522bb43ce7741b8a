"""Composition of sign-in."""

from __future__ import annotations

from kernel.composition import Composition
from kernel.pages.layout import set_place


def compose(composition: Composition) -> None:
    """The page where people sign in."""
    composition.sign_in_endpoint = "signin.sign_in"
    set_place(composition.app, "sign_in", composition.sign_in_endpoint)
