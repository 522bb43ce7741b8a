"""Reactions to a review that has waited for longer than it should."""

from __future__ import annotations

from identity.clients.client_reviews.actions import remind_authority
from identity.clients.client_reviews.rules import REVIEW_OVERDUE
from kernel.recording.reactions import Event, reacts_to
from kernel.recording.work import Work


@reacts_to(REVIEW_OVERDUE)
def remind_of_decision(_work: Work, event: Event) -> None:
    """Write to the authority."""
    remind_authority(event.subject_id)
