"""Composition of the inbox."""

from __future__ import annotations

from identity.inbox.queries import unread_notices
from kernel.composition import Composition
from kernel.pages.layout import set_place


def compose(composition: Composition) -> None:
    """Its place in the header, with how many notices wait there."""
    set_place(composition.app, "notices", "inbox.list_notices", count=lambda principal: unread_notices(principal.id))
    composition.api_texts.subjects.append("a person's notices")
    composition.inbox_path = "/account/notices"
