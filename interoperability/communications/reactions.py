"""Reactions to what becomes of a communication: those who have to know of it are told."""

from __future__ import annotations

from interoperability.communications.actions import notify_addressee, notify_sender
from interoperability.communications.rules import ANSWER_TAGS
from kernel.jobs.jobs import job
from kernel.recording.reactions import Event, follows
from kernel.recording.work import Work, action


@follows("interoperability:communication:sent", name="interoperability:communication:follow-sending")
@action
def tell_addressees(_work: Work, event: Event) -> None:
    """Tell every addressee that something waits: all of them or, until the next attempt, none."""
    for agency in event.detail["addressees"]:
        notify_addressee(event.subject_id, agency)


@follows(*ANSWER_TAGS, name="interoperability:communication:follow-answer")
def tell_sender(event: Event) -> None:
    """Tell the sender that an addressee has answered."""
    notify_sender(event.subject_id, event.detail["addressee"])


# A node of the version before defers these while it still serves.
job("interoperability:communication:notify-addressee")(notify_addressee)
job("interoperability:communication:notify-sender")(notify_sender)
