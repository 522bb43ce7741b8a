"""Changes of an agreement: asking, answering, suspending, ending, and the credentials that follow it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from catalogue.agreements.models import AGREEMENT_NUMBER, Agreement
from catalogue.agreements.queries import agreement_of, find
from catalogue.agreements.rules import (
    ANSWER_DAYS,
    DECIDED,
    OPEN,
    OVERDUE,
    REQUESTED,
    STATUS_LABELS,
    AlreadyAgreed,
    OwnService,
    Purpose,
    Side,
    Status,
    Transition,
    agreement_code,
)
from catalogue.ports import Credentials, agency_name, ports
from catalogue.services.queries import published_version
from catalogue.services.rules import NotInThisState, checked_reasons
from kernel.base.clock import business_days_after, local
from kernel.base.errors import NotYours
from kernel.base.notices import NoticeTemplate
from kernel.jobs.access import Principal
from kernel.outside.messages import Recipient, officials_at
from kernel.outside.notices import notify
from kernel.recording import lifecycle
from kernel.recording.work import Work, action


@action
def request_agreement(
    work: Work, asking: Principal, service_code: str, version_name: str, purpose: Purpose
) -> Agreement:
    """Ask a service's owner for access on behalf of the asker's agency.

    Raises NotFound for what is not published, OwnService, and AlreadyAgreed if an open agreement covers the same
    service and purpose (Decreto 12, art. 12).
    """
    version = published_version(service_code, version_name)
    service, consumer = version.service, asking.acting_agency.code
    if service.owner == consumer:
        raise OwnService(log=service_code)
    _refuse_second(work, consumer, service_code, purpose)
    number = work.session.scalars(select(AGREEMENT_NUMBER.next_value())).one()
    agreement = Agreement(
        code=agreement_code(local(work.now).year, number),
        service_version_id=version.id,
        service_code=service.code,
        service_name=service.name,
        version=version.version,
        owner=service.owner,
        consumer=consumer,
        purpose=purpose.text,
        purpose_key=purpose.key,
        legal_basis=purpose.legal_basis,
        personal_data=purpose.personal_data,
        daily_calls=purpose.daily_calls,
        status=str(Status.REQUESTED),
        reasons="",
        requested_by=asking.name,
        requested_at=work.now,
        answer_by=business_days_after(work.now, ANSWER_DAYS),
        changed_at=work.now,
    )
    work.add(agreement)
    try:
        work.session.flush()
    except IntegrityError as error:  # somebody asked for the same in the same moment
        raise AlreadyAgreed(log=service_code) from error
    work.record("catalogue:agreement:requested", agreement, owner=service.owner, service=version.code)
    lifecycle.watch_deadline(work, agreement)
    return agreement


def _refuse_second(work: Work, consumer: str, service_code: str, purpose: Purpose) -> None:
    query = select(Agreement.code).where(
        Agreement.consumer == consumer,
        Agreement.service_code == service_code,
        Agreement.purpose_key == purpose.key,
        Agreement.status.in_(OPEN),
    )
    existing = work.session.scalars(query).first()
    if existing:
        raise AlreadyAgreed(existing)


@action
def transition(work: Work, official: Principal, code: str, step: Transition, reasons: str = "") -> Agreement:
    """Approve, refuse, suspend, resume or end an agreement for the official's agency.

    Whatever ends it revokes its credentials; the gateway looks at the agreement itself at every call.
    Raises NotFound, NotYours, NotInThisState, Invalid where reasons are missing.
    """
    agreement = _locked(work, official, code)
    side = _side(agreement, official)
    rule = lifecycle.rule(agreement, step, *agreement.sides_of(side))
    agreement.suspended_by = str(side) if rule.target == Status.SUSPENDED else None
    agreement.ended_by = str(side) if rule.target == Status.ENDED else None
    agreement.reasons = checked_reasons(reasons) if rule.needs_reasons else ""
    agreement.changed_at = work.now
    if step in (Transition.APPROVE, Transition.REFUSE):
        agreement.decided_at, agreement.decided_by = work.now, official.name
    if rule.target == Status.ENDED:
        _revoke(agreement)
    other = agreement.consumer if side == Side.OWNER else agreement.owner
    lifecycle.transition(work, agreement, rule, side=str(side), other=other, status=str(rule.target))
    return agreement


@action
def issue_credentials(work: Work, official: Principal, code: str) -> tuple[Agreement, Credentials]:
    """Make the consumer's machine credentials, bound to the agreement; those it had before stop working.

    Raises NotFound, NotYours (also for the owner: credentials are the consumer's alone), NotInThisState.
    """
    agreement = _locked(work, official, code)
    if _side(agreement, official) != Side.CONSUMER:
        raise NotYours(log=f"credentials of {code}")
    if not agreement.is_active:
        raise NotInThisState(log=f"credentials while {agreement.status}")
    replaced = _revoke(agreement)
    credentials = ports().machine_clients.create(
        name=f"{agreement.code} · {agreement.service_name}"[:100].strip(),
        agency_code=agreement.consumer,
        scopes=["gateway"],
        service_binding={"agreement": agreement.code, "service": agreement.service_code, "version": agreement.version},
    )
    agreement.client_id, agreement.client_issued_at = credentials.client_id, work.now
    work.record("catalogue:agreement:credentials-issued", agreement, client=credentials.client_id, replaced=replaced)
    return agreement, credentials


def _revoke(agreement: Agreement) -> str | None:
    revoked = agreement.client_id
    if revoked is not None:
        ports().machine_clients.revoke(revoked)
        agreement.client_id = None
    return revoked


def _locked(work: Work, official: Principal, code: str) -> Agreement:
    agreement = find(code, official)
    lifecycle.lock(work, agreement)
    return agreement


def _side(agreement: Agreement, official: Principal) -> Side:
    side = agreement.side_of(official.acting_agency.code)
    if side is None:
        raise NotYours(log=agreement.code)
    return side


@action
def notify_owner(work: Work, code: str) -> None:
    """Tell the owner's publishers that a request waits for their answer. Raises NotFound."""
    _notify_owner(work, code, REQUESTED)


@action
def remind_owner(work: Work, code: str) -> None:
    """Tell the owner's publishers that the term for their answer has passed. Raises NotFound."""
    _notify_owner(work, code, OVERDUE)


def _notify_owner(work: Work, code: str, template: NoticeTemplate) -> None:
    agreement = agreement_of(code)
    notify(
        work,
        _publishers(agreement.owner),
        template,
        page_of(agreement.code),
        code=agreement.code,
        agency=agency_name(agreement.consumer),
        service=agreement.service_name,
        version=agreement.version,
        purpose=agreement.purpose,
        answer_by=local(agreement.answer_by).date(),
    )


@action
def notify_other(work: Work, code: str, agency: str, status: Status) -> None:
    """Tell the other agency's publishers what was decided. Raises NotFound."""
    agreement = agreement_of(code)
    notify(
        work,
        _publishers(agency),
        DECIDED,
        page_of(agreement.code),
        code=agreement.code,
        service=agreement.service_name,
        status=STATUS_LABELS[status],
        reasons=agreement.reasons,
    )


def _publishers(agency: str) -> list[Recipient]:
    return officials_at(agency, ports().agencies.officials_of(agency, "publisher"))


def page_of(code: str) -> str:
    """The path of the page that shows an agreement."""
    return f"/agency/agreements/{code}"
