"""Asking that one client may call another on behalf of people, deciding it, and ending it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import or_, select

from identity.clients.registry.actions import take_turn
from identity.clients.registry.queries import client_of, registered_client
from identity.clients.token_exchange_policies.models import ExchangePolicy
from identity.clients.token_exchange_policies.queries import find
from identity.clients.token_exchange_policies.rules import (
    REQUESTED,
    AlreadyAsked,
    Side,
    Status,
    Transition,
    Wish,
    check_pair,
    checked_reasons,
)
from identity.officials.queries import officials_of
from identity.officials.rules import ADMINISTRATOR
from kernel.base.errors import NotFound
from kernel.base.parties import Party
from kernel.outside.messages import officials_at
from kernel.outside.notices import notify
from kernel.recording import lifecycle
from kernel.recording.work import Work, action


@action
def ask_exchange(work: Work, owner: Party, actor_id: str, target_id: str, wish: Wish) -> ExchangePolicy:
    """Ask, in the name of the calling client's owner, whoever owns the one that is called. Where that is the same, it
    is allowed at once.

    Raises NotFound for a client that is not the owner's, Invalid, AlreadyAsked.
    """
    client_of(owner, actor_id)
    actor = registered_client(actor_id)
    if actor is None:
        raise NotFound()
    target = check_pair(actor, registered_client(target_id.strip()))
    take_turn(work, actor_id)
    if _living(work, actor_id, target.client_id, Status.ASKED) is not None:
        raise AlreadyAsked()
    policy = _policy(work, actor_id, target.client_id, wish)
    work.record("identity:exchange:asked", f"client:{actor_id}", target=target.client_id, scopes=policy.scopes)
    if target.owner == owner:
        _allow(work, policy)
    return policy


def _policy(work: Work, actor_id: str, target_id: str, wish: Wish) -> ExchangePolicy:
    policy = ExchangePolicy(
        actor_client_id=actor_id,
        target_client_id=target_id,
        scopes=list(wish.scopes),
        purpose=wish.purpose,
        status=Status.ASKED,
        asked_by=work.by.name,
        created_at=work.now,
    )
    work.add(policy)
    return policy


@action
def notify_owners(work: Work, actor_id: str, target_id: str) -> None:
    """Tell the administrators of the client that is to be called, if they still have to decide."""
    actor, target = registered_client(actor_id), registered_client(target_id)
    if actor is None or target is None or target.agency_code is None or target.owner == actor.owner:
        return
    notify(
        work,
        officials_at(target.agency_code, officials_of(target.agency_code, ADMINISTRATOR)),
        REQUESTED,
        "/agency/exchanges",
        agency=actor.agency_name or "",
        actor=actor.name,
        target=target.name,
    )


@action
def transition(work: Work, owner: Party, policy_id: UUID, step: Transition, reasons: str = "") -> ExchangePolicy:
    """Allow, refuse or end, as the owner of one of the two clients. Raises NotYours, NotInThisState, Invalid."""
    view = find(policy_id, owner)
    policy = view.policy
    take_turn(work, policy.actor_client_id)
    lifecycle.lock(work, policy)
    sides = view.sides_of(owner)
    rule = lifecycle.rule(policy, step, *sides)
    policy.reasons = checked_reasons(reasons, required=rule.needs_reasons)
    if step == Transition.ALLOW:
        _allow(work, policy)
    elif step == Transition.REFUSE:
        _decide(work, policy)
        lifecycle.transition(work, policy, rule, target=policy.target_client_id, reasons=policy.reasons)
    else:
        _end(work, policy, *sides)
    return policy


def _decide(work: Work, policy: ExchangePolicy) -> None:
    policy.decided_by, policy.decided_at = work.by.name, work.now


def _allow(work: Work, policy: ExchangePolicy) -> None:
    """Allow it in the place of what was allowed before."""
    rule = lifecycle.rule(policy, Transition.ALLOW, Side.TARGET)
    earlier = _living(work, policy.actor_client_id, policy.target_client_id, Status.ALLOWED)
    if earlier is not None:
        earlier.status, earlier.ended_at = Status.ENDED, work.now  # the record of its successor tells of it
        work.session.flush()
    _decide(work, policy)
    before = {"before": earlier.scopes} if earlier is not None else {}
    lifecycle.transition(work, policy, rule, target=policy.target_client_id, scopes=policy.scopes, **before)


def _end(work: Work, policy: ExchangePolicy, *sides: str) -> None:
    rule = lifecycle.rule(policy, Transition.END, *sides)
    policy.ended_at = work.now
    lifecycle.transition(work, policy, rule, target=policy.target_client_id)


@action
def end_all_of(work: Work, client_id: str) -> None:
    """End every call that a client makes or answers, for it is somebody else's from now on."""
    concerned = or_(ExchangePolicy.actor_client_id == client_id, ExchangePolicy.target_client_id == client_id)
    living = select(ExchangePolicy).where(concerned, ExchangePolicy.status.in_((Status.ASKED, Status.ALLOWED)))
    for policy in work.session.scalars(living.order_by(ExchangePolicy.id).with_for_update()):
        _end(work, policy, *Side)


def _living(work: Work, actor_id: str, target_id: str, status: Status) -> ExchangePolicy | None:
    return work.session.scalar(
        select(ExchangePolicy).where(
            ExchangePolicy.actor_client_id == actor_id,
            ExchangePolicy.target_client_id == target_id,
            ExchangePolicy.status == status,
        )
    )


@action
def allow_exchange(work: Work, actor_id: str, target_id: str, scopes: Iterable[str]) -> ExchangePolicy:
    """The operator's word: let one client call another, for these scopes and no others from now on.

    Raises NotFound for a client that there is not.
    """
    if registered_client(actor_id) is None or registered_client(target_id) is None:
        raise NotFound()
    take_turn(work, actor_id)
    policy = _policy(work, actor_id, target_id, Wish(tuple(sorted(set(scopes))), ""))
    _allow(work, policy)
    return policy


@action
def forbid_exchange(work: Work, actor_id: str, target_id: str) -> None:
    """The operator's word: end it. Raises NotFound where nothing was allowed."""
    take_turn(work, actor_id)
    policy = _living(work, actor_id, target_id, Status.ALLOWED)
    if policy is None:
        raise NotFound()
    _end(work, policy, *Side)
