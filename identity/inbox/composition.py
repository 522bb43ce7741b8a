"""Composition of the inbox."""

from __future__ import annotations

from identity.inbox.queries import unread_notices
from identity.inbox.rules import TEMPLATES
from identity.people.queries import phone_of
from kernel.composition import Composition
from kernel.outside.sms import PHONE_OF
from kernel.pages.layout import set_place


def compose(composition: Composition) -> None:
    """Its place in the header, with how many notices wait there; its notices, and the telephones for SMS."""
    set_place(composition.app, "notices", "inbox.list_notices", count=lambda principal: unread_notices(principal.id))
    composition.api_texts.subjects.append("a person's notices")
    composition.notice_templates += TEMPLATES
    PHONE_OF.fill(composition.app, phone_of)
    composition.inbox_path = "/account/notices"
