"""Composition of sessions."""

from __future__ import annotations

from identity.authentication.sessions.queries import session_principal
from kernel.composition import Composition
from kernel.pages.layout import set_place


def compose(composition: Composition) -> None:
    """Authenticate the callers of pages, and name the way out."""
    composition.authenticators.append(session_principal)
    set_place(composition.app, "sign_out", "sessions.sign_out", method="post")
