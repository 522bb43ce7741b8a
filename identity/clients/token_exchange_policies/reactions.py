"""Reactions to a client that becomes somebody else's: its policies end."""

from __future__ import annotations

from identity.clients.token_exchange_policies.actions import end_all_of, notify_owners
from kernel.recording.reactions import Event, follows, reacts_to
from kernel.recording.work import Work


@reacts_to("identity:client:environment-approved", "identity:client:adopted")
def end_calls_of_a_client(_work: Work, event: Event) -> None:
    """End every call that a client makes or answers, for it is somebody else's from now on."""
    end_all_of(event.subject_id)


@follows("identity:exchange:asked", name="identity:exchange:follow-request")
def tell_owners(event: Event) -> None:
    """Tell the owner of the client that another one asks to call."""
    notify_owners(event.subject_id, event.detail["target"])
