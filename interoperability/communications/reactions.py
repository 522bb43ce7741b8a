"""Reactions to what becomes of a communication: those who have to know of it are told."""

from __future__ import annotations

from typing import Any

from interoperability.communications.actions import notify_addressee, notify_sender
from interoperability.communications.queries import sender_of
from interoperability.communications.rules import ANSWER_TAGS
from kernel.base.installation import own_address
from kernel.jobs.jobs import job
from kernel.outside.deliveries_webhooks import agencies, publish
from kernel.recording.reactions import Event, follows, reacts_to
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


@reacts_to("interoperability:communication:sent")
def publish_arrival(work: Work, event: Event) -> None:
    """Tell the servers of the addressees that a communication waits for them."""
    addressees = list(event.detail["addressees"])
    _publish(work, "communication.received", event, addressees, addressees=addressees)


@reacts_to(*ANSWER_TAGS)
def publish_answer(work: Work, event: Event) -> None:
    """Tell the servers of the sender and of the addressee what the latter answered."""
    addressee = event.detail["addressee"]
    name = f"communication.{event.tag.rpartition(':')[2]}"
    _publish(work, name, event, [sender_of(event.subject_id), addressee], addressee=addressee)


def _publish(work: Work, name: str, event: Event, to: list[str], **more: Any) -> None:
    code = event.subject_id
    href = own_address(f"/api/v1/communications/{code}")
    publish(work, name, {"communication": code, "sender": sender_of(code), "href": href, **more}, to=agencies(*to))


# A node of the version before defers these while it still serves.
job("interoperability:communication:notify-addressee")(notify_addressee)
job("interoperability:communication:notify-sender")(notify_sender)
