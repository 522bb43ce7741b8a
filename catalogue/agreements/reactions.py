"""Reactions to a request that its owner has left unanswered for longer than the norm allows."""

from __future__ import annotations

from catalogue.agreements.actions import remind_owner
from catalogue.agreements.queries import agreement_of
from kernel.recording.reactions import Event, reacts_to
from kernel.recording.work import Work


@reacts_to("catalogue:agreement:answer-overdue")
def remind_of_answer(work: Work, event: Event) -> None:
    """Write to the owner's publishers."""
    work.defer(remind_owner, agreement_id=str(agreement_of(event.subject_id).id))
