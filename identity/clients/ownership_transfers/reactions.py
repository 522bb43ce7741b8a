"""Reactions to an offer that no agency has answered."""

from __future__ import annotations

from identity.clients.ownership_transfers.actions import tell_of_expiry
from identity.clients.ownership_transfers.rules import OFFER_EXPIRED
from kernel.recording.reactions import Event, reacts_to
from kernel.recording.work import Work


@reacts_to(OFFER_EXPIRED)
def tell_developer(_work: Work, event: Event) -> None:
    """Write to the developer, who may offer it again."""
    tell_of_expiry(event.subject_id)
