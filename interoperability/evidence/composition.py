"""Composition of evidence."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from interoperability.evidence.actions import seal_batch
from interoperability.evidence.queries import PURPOSE, seal_of, unsealed
from kernel.composition import Composition
from kernel.recording.sealing import SealedLog


def compose(composition: Composition) -> None:
    """Its log, which is sealed, and the keys that sign the seals."""
    composition.sealed_logs.append(
        SealedLog("evidence", _("Evidence of communications"), seal_batch, unsealed, seal_of)
    )
    composition.rotated_purposes.append(PURPOSE)
