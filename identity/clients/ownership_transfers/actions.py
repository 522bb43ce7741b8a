"""A developer offers an application to an agency, which takes it over or declines.

Only what an agency answers for leaves the sandbox: once it is the agency's, it goes the way of all applications.
"""

from __future__ import annotations

from identity.agencies.queries import find_agency
from identity.clients.client_reviews.rules import ChangedMeanwhile
from identity.clients.ownership_transfers.models import OwnershipTransfer
from identity.clients.ownership_transfers.queries import Offer, last_offer, pending
from identity.clients.ownership_transfers.rules import (
    ANSWER_DAYS,
    OFFERED,
    AlreadyOffered,
    Side,
    Status,
    Transition,
    checked_words,
    without_ours,
)
from identity.clients.profiles.rules import SECRET_METHODS
from identity.clients.registry.actions import NewClient, lock_active_client, lock_client, replace_credentials
from identity.officials.queries import officials_of
from identity.officials.rules import ADMINISTRATOR
from kernel.base.clock import business_days_after
from kernel.base.errors import Invalid, NotFound, _
from kernel.base.installation import settings
from kernel.base.lifecycles import TransitionRule
from kernel.base.notices import NoticeTemplate
from kernel.base.parties import Party
from kernel.outside.messages import Recipient, officials_at
from kernel.outside.notices import notify
from kernel.recording import lifecycle
from kernel.recording.work import Work, action


@action
def offer(
    work: Work, client_id: str, agency_code: str, reason: str, *, owner: Party, developer: Recipient
) -> OwnershipTransfer:
    """Ask an agency to take an application over. developer: where the answer goes.

    Raises NotFound, ClientRevoked, Invalid, AlreadyOffered.
    """
    client = lock_active_client(work, client_id, owner)
    agency = find_agency(agency_code.strip().upper())
    if agency is None or not agency.is_active:
        raise Invalid(fields={"agency": [_("There is no agency with this code.")]})
    reason = checked_words(reason, "reason")
    # A key of the developer would go on to work; a secret is replaced.
    if client.auth_method not in (*SECRET_METHODS, "none"):
        raise Invalid(fields={"agency": [_("An application that uses your own keys cannot be taken over.")]})
    if _locked(work, client_id) is not None:
        raise AlreadyOffered()
    transfer = OwnershipTransfer(
        client_id=client_id,
        agency_code=agency.code,
        status=str(Status.WAITING),
        developer=developer.email,
        developer_language=developer.language,
        reason=reason,
        asked_at=work.now,
        answer_by=business_days_after(work.now, ANSWER_DAYS),
    )
    work.add(transfer)
    lifecycle.watch_deadline(work, transfer)
    work.record("identity:client:adoption-offered", transfer, agency=agency.code, reason=reason)
    return transfer


@action
def take_back(work: Work, client_id: str, *, owner: Party) -> None:
    """Offer it no longer; nothing happens where nothing waits. Raises NotFound, ClientRevoked."""
    lock_active_client(work, client_id, owner)
    pending = _locked(work, client_id)
    if pending is not None:
        rule = _decide(work, pending.request, Transition.WITHDRAW, Side.DEVELOPER)
        lifecycle.transition(work, pending.request, rule, agency=pending.request.agency_code)


@action
def accept(work: Work, client_id: str, agency_code: str, seen: str) -> NewClient:
    """Make the application the agency's. What its developer knows of it opens nothing any more, and what it was given
    in the developer's name has ended.

    seen: the fingerprint of what was looked at. Raises NotFound, ChangedMeanwhile.
    """
    pending = _waiting_at(work, client_id, agency_code)
    if pending.fingerprint != seen:
        raise ChangedMeanwhile()
    rule = _decide(work, pending.request, Transition.ACCEPT, Side.AGENCY)
    client, before = pending.client, str(pending.client.owner)
    client.owner = Party.agency(agency_code)
    client.sector = str(client.owner)
    client.redirect_uris = without_ours(client.redirect_uris, settings().base_url)
    client.registration_token_hash = None
    secret = replace_credentials(work, client)
    lifecycle.transition(work, pending.request, rule, before=before, agency=agency_code)
    return NewClient(client, secret)


@action
def decline(work: Work, client_id: str, agency_code: str, remark: str) -> None:
    """Leave the application with its developer, and say why. Raises NotFound, Invalid."""
    remark = checked_words(remark, "remark")
    pending = _waiting_at(work, client_id, agency_code)
    rule = _decide(work, pending.request, Transition.DECLINE, Side.AGENCY)
    pending.request.remark = remark
    lifecycle.transition(work, pending.request, rule, agency=agency_code, remark=remark)


def _waiting_at(work: Work, client_id: str, agency_code: str) -> Offer:
    pending = _locked(work, client_id)
    if pending is None or pending.request.agency_code != agency_code:
        raise NotFound()
    return pending


def _locked(work: Work, client_id: str) -> Offer | None:
    """Return the offer that waits for an agency's answer, locked until the commit."""
    client_id = client_id.replace("\x00", "")
    lock_client(work, client_id)
    query = pending().where(OwnershipTransfer.client_id == client_id).with_for_update(of=OwnershipTransfer)
    row = work.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return Offer(row[1], row[0]) if row is not None else None


def _decide(work: Work, request: OwnershipTransfer, step: Transition, side: Side) -> TransitionRule[Status]:
    """Note by whom it is decided; the rule that lets them, which is followed once everything else is changed."""
    rule = lifecycle.rule(request, step, side)
    request.decided_at, request.decided_by = work.now, work.by.name
    return rule


@action
def notify_administrators(work: Work, client_id: str, agency: str, reason: str) -> None:
    """Tell an agency's administrators that an application is offered to them, unless it was taken back meanwhile."""
    offered = last_offer(client_id)
    if (offered.request.agency_code, offered.request.status) != (agency, Status.WAITING):
        return
    notify(
        work,
        officials_at(agency, officials_of(agency, ADMINISTRATOR)),
        OFFERED,
        f"/agency/adoptions/{client_id}",
        name=offered.client.name,
        developer=offered.request.developer,
        reason=reason,
    )


@action
def notify_developer(work: Work, client_id: str, template: NoticeTemplate, remark: str = "") -> None:
    """Tell the developer who offered an application what became of the offer."""
    offered = last_offer(client_id)
    developer = Recipient(offered.request.developer, offered.request.developer_language)
    notify(work, [developer], template, name=offered.client.name, client_id=client_id, remark=remark)
