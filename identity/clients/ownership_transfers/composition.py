"""Composition of transfers of applications."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.clients.ownership_transfers.queries import offers_to_answer
from identity.clients.ownership_transfers.rules import TEMPLATES
from identity.officials.rules import ADMINISTRATOR
from kernel.composition import Composition
from kernel.recording.pending import PendingKind


def compose(composition: Composition) -> None:
    """Applications that an agency is offered."""
    composition.notice_templates += TEMPLATES
    composition.pending_kinds.append(
        PendingKind(
            "ownership-transfer",
            _("Application of a developer"),
            _("applications offered by developers"),
            "/agency/adoptions",
            offers_to_answer,
            frozenset({ADMINISTRATOR}),
        )
    )
