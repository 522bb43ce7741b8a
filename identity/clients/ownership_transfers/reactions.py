"""Reactions to offers of applications: the agency is told of the offer, and the developer of its end."""

from __future__ import annotations

from identity.clients.ownership_transfers.actions import notify_administrators, notify_developer
from identity.clients.ownership_transfers.rules import ACCEPTED, DECLINED, EXPIRED, OFFER_EXPIRED
from kernel.recording.reactions import Event, follows


@follows("identity:client:adoption-offered", name="identity:client:follow-offer")
def tell_agency(event: Event) -> None:
    """Tell the agency that it is asked."""
    notify_administrators(event.subject_id, event.detail["agency"], event.detail["reason"])


@follows("identity:client:adopted", name="identity:client:follow-adoption")
def tell_of_adoption(event: Event) -> None:
    """Tell the developer that the application is the agency's."""
    notify_developer(event.subject_id, ACCEPTED)


@follows("identity:client:adoption-declined", name="identity:client:follow-decline")
def tell_of_decline(event: Event) -> None:
    """Tell the developer why the agency does not take it."""
    notify_developer(event.subject_id, DECLINED, event.detail["remark"])


@follows(OFFER_EXPIRED, name="identity:client:follow-expiry")
def tell_of_expiry(event: Event) -> None:
    """Tell the developer that nobody answered, so that they may offer it again."""
    notify_developer(event.subject_id, EXPIRED)
