"""Reactions of the provider: applications lose grants when sessions end, a password is replaced, or they change hands
(OIDC Back-Channel Logout 1.0, RFC 9700 4.14.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, or_, select, update

from identity.clients.registry.queries import has_option
from identity.openid.authorization.logout_actions import tell_logout
from identity.openid.models import ApplicationConsent, DeviceAuthorization, Grant, PushedRequest
from identity.openid.tokens.revocation_cache import read_again
from kernel.recording.reactions import Event, reacts_to
from kernel.recording.work import Work


@reacts_to("identity:session:ended", "identity:session:expired")
def end_what_sessions_gave(work: Work, event: Event) -> None:
    """Tell every application entered with these sessions, and end what they were given if the person left.

    OIDC Back-Channel Logout 2.7: what was given for use while the person is away (`offline_access`) stays. A session
    that goes on under a new sign-in of the same person has not ended for applications.
    """
    detail = event.detail
    sids: Sequence[str] = detail["sids"] if "sids" in detail else [detail["sid"]]
    if not sids or detail.get("goes_on"):
        return
    _tell_applications(work, sids)
    if event.tag == "identity:session:expired":
        return
    work.session.execute(
        update(Grant)
        .where(
            Grant.sid.in_(sids),
            Grant.revoked_at.is_(None),
            or_(Grant.redeemed_at.is_(None), ~Grant.scopes.contains(["offline_access"])),
        )
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


def _tell_applications(work: Work, sids: Sequence[str]) -> None:
    entered = (
        select(Grant.sid, Grant.client_id, Grant.person_id)
        .where(
            Grant.sid.in_(sids),
            Grant.redeemed_at.is_not(None),
            has_option(Grant.client_id, "backchannel_logout_uri"),
        )
        .distinct()
    )
    for sid, client_id, person_id in work.session.execute(entered).all():
        tell_logout(work, client_id, str(person_id), sid)


@reacts_to("identity:person:password-changed")
def end_what_a_password_gave(work: Work, event: Event) -> None:
    """End everything that applications hold in the person's name: the old password may have been stolen."""
    work.session.execute(
        update(Grant)
        .where(Grant.person_id == UUID(event.subject_id), Grant.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


@reacts_to("identity:client:environment-approved", "identity:client:adopted")
def end_what_a_client_was_given(work: Work, event: Event) -> None:
    """End whatever a client was given or has begun to ask for: it is somebody else's now, and people are asked anew."""
    for begun in (PushedRequest, DeviceAuthorization):
        work.session.execute(delete(begun).where(begun.client_id == event.subject_id))
    for given, ended_at in (
        (Grant, Grant.revoked_at),
        (ApplicationConsent, ApplicationConsent.withdrawn_at),
    ):
        work.session.execute(
            update(given)
            .where(given.client_id == event.subject_id, ended_at.is_(None))
            .values({ended_at: work.now})
            .execution_options(synchronize_session=False)
        )
    read_again()
