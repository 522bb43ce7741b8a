"""Reactions to what becomes of an agreement: those who have to know of it are told."""

from __future__ import annotations

from uuid import UUID

from catalogue.agreements import actions
from catalogue.agreements.queries import agreement_of, code_of
from catalogue.agreements.rules import LIFECYCLE, Status
from kernel.base.installation import own_address
from kernel.jobs.jobs import job
from kernel.outside.deliveries_webhooks import agencies, publish
from kernel.recording.reactions import Event, follows, reacts_to
from kernel.recording.work import Work


@follows("catalogue:agreement:requested", name="catalogue:agreement:follow-request")
def tell_owner(event: Event) -> None:
    """Tell the owner that it is asked."""
    actions.notify_owner(event.subject_id)


@follows(*(rule.tag for rule in LIFECYCLE.rules.values()), name="catalogue:agreement:follow-step")
def tell_other(event: Event) -> None:
    """Tell the agency on the other side what became of the agreement."""
    actions.notify_other(event.subject_id, event.detail["other"], Status(event.detail["status"]))


@follows("catalogue:agreement:answer-overdue", name="catalogue:agreement:follow-lateness")
def remind_of_answer(event: Event) -> None:
    """Remind the owner of a request that it has left unanswered for longer than the norm allows."""
    actions.remind_owner(event.subject_id)


EVENTS = {
    Status.ACTIVE: "agreement.activated",
    Status.REFUSED: "agreement.refused",
    Status.SUSPENDED: "agreement.suspended",
    Status.ENDED: "agreement.ended",
}


@reacts_to("catalogue:agreement:requested")
def publish_request(work: Work, event: Event) -> None:
    """Tell the servers of both sides of a request."""
    _publish(work, "agreement.requested", event)


@reacts_to(*(rule.tag for rule in LIFECYCLE.rules.values()))
def publish_step(work: Work, event: Event) -> None:
    """Tell the servers of both sides what became of the agreement."""
    _publish(work, EVENTS[Status(event.detail["status"])], event)


def _publish(work: Work, name: str, event: Event) -> None:
    agreement = agreement_of(event.subject_id)
    data = {
        "agreement": agreement.code,
        "service": agreement.service_code,
        "version": agreement.version,
        "owner": agreement.owner,
        "consumer": agreement.consumer,
        "href": own_address(f"/api/v1/agreements/{agreement.code}"),
        "status": str(agreement.status),
    }
    publish(work, name, data, to=agencies(agreement.owner, agreement.consumer))


# Jobs that a node of the version before defers while it still serves.


@job("catalogue:agreement:notify-owner")
def notify_owner(agreement_id: str) -> None:
    """Tell the owner of a request that is known by its row."""
    actions.notify_owner(code_of(UUID(agreement_id)))


@job("catalogue:agreement:remind-owner")
def remind_owner(agreement_id: str) -> None:
    """Remind the owner of a request that is known by its row."""
    actions.remind_owner(code_of(UUID(agreement_id)))


@job("catalogue:agreement:notify-other")
def notify_other(agreement_id: str, agency: str, status: str) -> None:
    """Tell the other side of an agreement that is known by its row."""
    actions.notify_other(code_of(UUID(agreement_id)), agency, Status(status))
