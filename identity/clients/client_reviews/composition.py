"""Composition of reviews of clients."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.clients.client_reviews.queries import reviews_to_decide
from identity.clients.client_reviews.rules import TEMPLATES
from identity.officials.rules import AUTHORITY
from kernel.composition import Composition
from kernel.recording.pending import PendingKind


def compose(composition: Composition) -> None:
    """Applications that wait for the authority's approval."""
    composition.notice_templates += TEMPLATES
    composition.pending_kinds.append(
        PendingKind(
            "client-review",
            _("Application"),
            _("applications to review"),
            "/authority/applications",
            reviews_to_decide,
            frozenset({AUTHORITY}),
            is_for_authority=True,
        )
    )
