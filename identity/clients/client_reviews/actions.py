"""Asking the authority, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from identity.agencies.queries import active_agencies
from identity.clients.client_reviews.models import ClientReview
from identity.clients.client_reviews.queries import PendingReview, find_pending, pending
from identity.clients.client_reviews.rules import (
    DECISION_DAYS,
    OVERDUE,
    AlreadyAsked,
    ChangedMeanwhile,
    Side,
    Status,
    Transition,
    as_row,
    check_ready,
    check_step,
    checked_remark,
    differences,
)
from identity.clients.client_secrets.rules import StoredSecret, end_of_new_secret, ended_by
from identity.clients.registry.actions import (
    lock_active_client,
    lock_client,
    lock_for,
    register_client,
    replace_registration,
    undecided_changes,
)
from identity.clients.registry.queries import (
    Proposal,
    any_client,
    forget,
    owners_of,
    propose,
    registration_of,
    sound_registration,
    verify_remote_metadata,
)
from identity.clients.registry.rules import Registration, checked_environment
from identity.officials.queries import officials_of
from identity.officials.rules import ADMINISTRATOR
from kernel.base.clock import business_days_after
from kernel.base.errors import Invalid, NotFound, _
from kernel.base.lifecycles import TransitionRule
from kernel.base.notices import NoticeTemplate
from kernel.base.parties import Party
from kernel.outside.messages import officials_at
from kernel.outside.notices import notify
from kernel.recording import lifecycle
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class ChangeResult:
    """A client after a change: a secret where it got one, told this once, and what has to be approved first."""

    client: Client
    secret: str | None
    request: ClientReview | None


def register_application(registration: Registration, environment: str, owner: Party) -> ChangeResult:
    """Register an application in the sandbox and, for another environment, ask for it. Raises Invalid."""
    environment = checked_environment(environment)
    verify_remote_metadata(sound_registration(registration, "sandbox"))
    return _register_application(registration, environment, owner)


@action
def _register_application(work: Work, registration: Registration, environment: str, owner: Party) -> ChangeResult:
    made = register_client(registration, "sandbox", owner)
    request = None
    if environment != "sandbox":
        request = ask_for_environment(made.client.client_id, environment, owner=owner)
    return ChangeResult(made.client, made.secret, request)


@action
def ask_for_environment(work: Work, client_id: str, environment: str, *, owner: Party | None = None) -> ClientReview:
    """Ask to let an application into certification or production. Raises NotFound, Invalid, AlreadyAsked."""
    client = lock_active_client(work, client_id, owner)
    check_step(environment, client.environment)
    check_ready(registration_of(client))
    request = _ask(work, client, environment, None)
    work.record(
        "identity:client:environment-asked", request, environment=environment, scope_reasons=client.scope_reasons
    )
    return request


def change_application(client: Client, registration: Registration) -> ChangeResult:
    """Change what is registered, at once or, where the authority decides, when it has approved; until then it goes on
    as it is. Raises NotFound, ClientRevoked, Invalid, Conflict, AlreadyAsked where something waits already.
    """
    return change_fields(client, **vars(registration))


def change_fields(client: Client, **changed: Any) -> ChangeResult:
    """Change these fields of what is registered, and leave the others as they are. Raises as `change_application`."""
    return make_or_ask(propose(client, **changed))


def replace_keys(client: Client, jwks: object, jwks_uri: str | None) -> ChangeResult:
    """Other keys, or another address of them, which need nobody's approval. Raises as `change_application`."""
    if jwks is None and jwks_uri is None:
        raise Invalid(fields={"jwks": [_("Send the keys, or the address where they are published.")]})
    return change_fields(client, jwks=jwks, jwks_uri=jwks_uri)


@action
def make_or_ask(work: Work, proposal: Proposal) -> ChangeResult:
    """Make a proposed change, or ask the authority for it. Raises as `change_application`."""
    client, after = lock_for(work, proposal)
    undecided = undecided_changes(work, client, after)
    if not undecided:
        made = replace_registration(work, client, after)
        return ChangeResult(made.client, made.secret, None)
    check_ready(after)
    changes = differences(registration_of(client), after)
    request = _ask(work, client, client.environment, as_row(changes))
    work.record(
        "identity:client:change-asked",
        request,
        undecided=undecided,
        before={one.name: one.before for one in changes},
        after={one.name: one.after for one in changes},
    )
    return ChangeResult(client, None, request)


def _ask(work: Work, client: Client, environment: str, changes: Mapping[str, Any] | None) -> ClientReview:
    present = select(ClientReview.id).where(
        ClientReview.client_id == client.client_id, ClientReview.status == Status.WAITING
    )
    if work.session.scalar(present) is not None:
        raise AlreadyAsked()
    review = ClientReview(
        client_id=client.client_id,
        environment=environment,
        changes=dict(changes) if changes is not None else None,
        status=str(Status.WAITING),
        asked_by=work.by.name,
        asked_at=work.now,
        decide_by=business_days_after(work.now, DECISION_DAYS),
    )
    work.add(review)
    lifecycle.watch_deadline(work, review)
    return review


@action
def withdraw_request(work: Work, client_id: str, *, owner: Party) -> None:
    """Take back what waits for the authority; nothing waits afterwards. Raises NotFound, ClientRevoked."""
    lock_active_client(work, client_id, owner)
    review = _locked(work, client_id)
    if review is not None:
        rule = _decide(work, review.request, Transition.WITHDRAW, Side.OWNER)
        lifecycle.transition(work, review.request, rule, environment=review.request.environment)


@action
def approve(work: Work, client_id: str, seen: str) -> Client:
    """Let the application into the environment that it waits for, or the change into use.

    seen: the fingerprint of what was looked at. Raises NotFound, Invalid, AlreadyAsked, ChangedMeanwhile.
    """
    review = _waiting(work, client_id)
    if review.fingerprint != seen:
        raise ChangedMeanwhile()
    # What was sound when it was asked may be so no longer, as when a contact was taken away.
    check_ready(review.proposed)
    client = review.client
    rule = _decide(work, review.request, Transition.APPROVE, Side.AUTHORITY)
    client.approved_by, client.approved_at = review.request.decided_by, work.now
    facts = _let_in(work, review) if review.request.changes is None else _put_in_use(work, review)
    lifecycle.transition(work, review.request, rule, **facts, own_agency=_is_own(work, client))
    forget(client_id)
    return client


def _let_in(work: Work, review: PendingReview) -> dict[str, Any]:
    """Nothing of the environment before leads into this one: neither what test persons gave nor who called whom."""
    client, environment = review.client, review.request.environment
    before = client.environment
    check_step(environment, before)
    client.environment = environment
    secrets = [StoredSecret.from_row(row) for row in client.secrets]
    client.secrets = [one.as_row() for one in ended_by(secrets, end_of_new_secret(environment, work.now))]
    return {"before": before, "environment": environment, "sector": client.sector}


def _put_in_use(work: Work, review: PendingReview) -> dict[str, Any]:
    changed = [one.name for one in review.differences]
    replace_registration(work, review.client, sound_registration(review.proposed, review.client.environment))
    return {"changed": changed}


@action
def give_back(work: Work, client_id: str, remark: str) -> None:
    """Say what is missing before the application may go on. Raises NotFound, Invalid."""
    remark = checked_remark(remark)
    review = _waiting(work, client_id)
    rule = _decide(work, review.request, Transition.RETURN, Side.AUTHORITY)
    review.request.remark = remark
    lifecycle.transition(work, review.request, rule, environment=review.request.environment, remark=remark)


def _waiting(work: Work, client_id: str) -> PendingReview:
    review = _locked(work, client_id)
    if review is None:
        raise NotFound()
    return review


def _locked(work: Work, client_id: str) -> PendingReview | None:
    """Return the pending review, locked until the commit."""
    client_id = client_id.replace("\x00", "")
    lock_client(work, client_id)
    query = pending().where(ClientReview.client_id == client_id).with_for_update(of=ClientReview)
    row = work.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return PendingReview(row[1], row[0]) if row is not None else None


def _decide(work: Work, review: ClientReview, step: Transition, side: Side) -> TransitionRule[Status]:
    """Note by whom it is decided; the rule that lets them, which is followed once everything else is changed."""
    rule = lifecycle.rule(review, step, side)
    review.decided_at, review.decided_by = work.now, work.by.name
    return rule


def _is_own(work: Work, client: Client) -> bool:
    agency = work.by.agency
    return agency is not None and client.owner == Party.agency(agency.code)


@action
def notify_owners(work: Work, client_id: str, template: NoticeTemplate, remark: str = "") -> None:
    """Tell those who answer for an application what the authority decided. Raises NotFound."""
    client = any_client(client_id)
    notify(work, owners_of(client), template, name=client.name, client_id=client.client_id, remark=remark)


@action
def remind_authority(work: Work, client_id: str) -> None:
    """Tell the authority's administrators that a review waits for longer than it should."""
    review = find_pending(client_id)
    if review is None:
        return
    path = f"/authority/applications/{client_id}"
    readers = [
        reader
        for agency in active_agencies()
        if agency.is_authority
        for reader in officials_at(agency.code, officials_of(agency.code, ADMINISTRATOR))
    ]
    notify(work, readers, OVERDUE, path, name=review.client.name, days=DECISION_DAYS)
