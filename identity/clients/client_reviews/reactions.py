"""Reactions to reviews: owners are told of decisions, and the authority of a review that has waited too long."""

from __future__ import annotations

from identity.clients.client_reviews.actions import notify_owners, remind_authority
from identity.clients.client_reviews.rules import APPROVED, RETURNED, REVIEW_OVERDUE
from kernel.recording.reactions import Event, follows


@follows(
    "identity:client:environment-approved", "identity:client:change-approved", name="identity:client:follow-approval"
)
def tell_of_approval(event: Event) -> None:
    """Tell the owners that they may go on."""
    notify_owners(event.subject_id, APPROVED)


@follows(
    "identity:client:environment-returned", "identity:client:change-returned", name="identity:client:follow-return"
)
def tell_of_return(event: Event) -> None:
    """Tell the owners what is missing."""
    notify_owners(event.subject_id, RETURNED, event.detail["remark"])


@follows(REVIEW_OVERDUE, name="identity:client:follow-overdue-review")
def remind_of_decision(event: Event) -> None:
    """Remind the authority."""
    remind_authority(event.subject_id)
