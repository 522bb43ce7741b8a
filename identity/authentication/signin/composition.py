"""Composition of sign-in."""

from __future__ import annotations

from kernel.composition import Composition
from kernel.pages.layout import set_place


def compose(house: Composition) -> None:
    """The page where people sign in."""
    house.sign_in_endpoint = "signin.sign_in"
    set_place(house.app, "sign_in", house.sign_in_endpoint)
