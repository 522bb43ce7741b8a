"""Reactions to what becomes of a second step: its person is told, so that a thief's doing does not stay hidden."""

from __future__ import annotations

from identity.authentication.one_time_codes.actions import notify_person
from identity.authentication.one_time_codes.rules import REMOVED, SET_UP
from identity.people.rules import SECOND_FACTOR_ALWAYS
from kernel.recording.reactions import Event, follows


@follows("identity:second-factor:confirmed", name="identity:second-factor:follow-set-up")
def tell_of_set_up(event: Event) -> None:
    """Tell the person that there is one; of a test person's, whose secret is published, there is nothing to tell."""
    if event.detail["use"] == SECOND_FACTOR_ALWAYS:
        notify_person(event.subject_id, SET_UP)


@follows("identity:second-factor:removed", name="identity:second-factor:follow-removal")
def tell_of_removal(event: Event) -> None:
    """Tell the person that there is none any more."""
    notify_person(event.subject_id, REMOVED)
