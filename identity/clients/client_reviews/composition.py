"""Composition of reviews of clients."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _

from identity.clients.client_reviews.queries import pending_reviews
from kernel.composition import Composition, PendingDecision


def compose(house: Composition) -> None:
    """Applications that wait for the authority's approval."""
    house.pending_decisions.append(pending_decisions)


def pending_decisions() -> list[PendingDecision]:
    """Applications, by the time of their request."""
    return [
        PendingDecision(
            asked.client.name,
            asked.request.asked_at,
            url_for("client_reviews.review", client_id=asked.client.client_id),
            _("Application"),
        )
        for asked in pending_reviews()
    ]
