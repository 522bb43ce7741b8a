"""Token exchange (RFC 8693): which client may call which on behalf of people who signed in, and the tokens for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from identity.clients.queries import registered_client
from identity.clients.rules import RegisteredClient
from identity.openid.access_tokens import LivingToken
from identity.openid.audiences import audience_named, names_of
from identity.openid.models import AuthorizationCode, ExchangePolicy
from identity.openid.proofs.binding import Binding
from identity.openid.request_problems import InvalidTarget
from identity.openid.rules import MACHINE_TOKEN_LIVES, InvalidScope, MalformedRequest
from identity.openid.tokens import Grant, person_access_token, subject_for
from kernel.errors import NotFound
from kernel.work import Work, action

LONGEST_CHAIN = 4


@dataclass(frozen=True)
class Exchanged:
    """A token for calling the target on behalf of the person."""

    access_token: str
    scopes: frozenset[str]
    expires_at: datetime


@action
def allow_exchange(work: Work, actor_id: str, target_id: str, scopes: Iterable[str]) -> ExchangePolicy:
    """Let one client call another on behalf of people, for these scopes and no others from now on.

    Raises NotFound for a client that there is not.
    """
    if registered_client(actor_id) is None or registered_client(target_id) is None:
        raise NotFound()
    revoked = _revoke(work, actor_id, target_id)
    policy = ExchangePolicy(
        actor_client_id=actor_id, target_client_id=target_id, scopes=sorted(set(scopes)), created_at=work.now
    )
    work.add(policy)
    before = {"before": revoked} if revoked is not None else {}
    work.record("identity:exchange:allowed", f"client:{actor_id}", target=target_id, scopes=policy.scopes, **before)
    return policy


@action
def forbid_exchange(work: Work, actor_id: str, target_id: str) -> None:
    """End what one client may do at another in the name of people. Raises NotFound where nothing was allowed."""
    if _revoke(work, actor_id, target_id) is None:
        raise NotFound()
    work.record("identity:exchange:forbidden", f"client:{actor_id}", target=target_id)


def _revoke(work: Work, actor_id: str, target_id: str) -> list[str] | None:
    return work.session.scalar(
        update(ExchangePolicy)
        .where(
            ExchangePolicy.actor_client_id == actor_id,
            ExchangePolicy.target_client_id == target_id,
            ExchangePolicy.revoked_at.is_(None),
        )
        .values(revoked_at=work.now)
        .returning(ExchangePolicy.scopes)
        .execution_options(synchronize_session=False)
    )


@action
def exchange(
    work: Work,
    actor: RegisteredClient,
    subject: LivingToken | None,
    target_id: str,
    asked: frozenset[str] | None,
    binding: Binding,
) -> Exchanged:
    """A token with which the actor calls the target on behalf of the person that the subject's token speaks of.

    Nobody gains by it: its scopes are among the subject's and the policy's, and it ends when the subject's does.
    Raises MalformedRequest for a subject that is not acceptable, InvalidTarget, InvalidScope.
    """
    if subject is None or subject.grant_id is None or subject.is_refresh_token:
        raise MalformedRequest("The subject_token is not a living access token of a person, given by this issuer.")
    # RFC 8693 2.2.2: only who the token was given to, or who it is meant for, may go on with it.
    if subject.client_id != actor.client_id and not names_of(actor) & set(subject.audience):
        raise MalformedRequest("The subject_token was neither given to the client nor is it meant for it.")
    target = registered_client(target_id)
    allowed = _policy(work, actor, target) if target else None
    if target is None or allowed is None:
        raise InvalidTarget("The client may not call this target on behalf of people.")
    scopes = subject.scopes & allowed if asked is None else asked
    if not scopes or not scopes <= subject.scopes & allowed:
        raise InvalidScope("Only scopes that the subject_token has and the policy allows.")
    grant = _grant(work, subject, scopes, target)
    expires_at = min(subject.expires_at, work.now + MACHINE_TOKEN_LIVES)
    act = _act(actor, subject)
    token = person_access_token(
        actor,
        grant,
        work.now,
        expires_at,
        subject=subject_for(target, grant.person_id),
        confirmation=binding.cnf,
        act=act,
    )
    work.record(
        "identity:token:exchanged",
        f"client:{actor.client_id}",
        person=str(grant.person_id),
        target=target.client_id,
        scopes=sorted(scopes),
        act=act,
    )
    return Exchanged(token, scopes, expires_at)


def _policy(work: Work, actor: RegisteredClient, target: RegisteredClient) -> frozenset[str] | None:
    # Made-up people never reach what is in use, nor real ones what is under test.
    if actor.environment != target.environment:
        return None
    scopes = work.session.scalar(
        select(ExchangePolicy.scopes).where(
            ExchangePolicy.actor_client_id == actor.client_id,
            ExchangePolicy.target_client_id == target.client_id,
            ExchangePolicy.revoked_at.is_(None),
        )
    )
    return frozenset(scopes) if scopes is not None else None


def _grant(work: Work, subject: LivingToken, scopes: frozenset[str], target: RegisteredClient) -> Grant:
    code = work.session.get_one(AuthorizationCode, subject.grant_id)
    if code.revoked_at is not None:
        raise MalformedRequest("The subject_token was revoked.")
    return Grant(
        id=code.id,
        person_id=code.person_id,
        scopes=scopes,
        audience=(audience_named(target.client_id),),
        sid=code.sid,
        authenticated_at=code.authenticated_at,
        acr=code.acr,
        amr=tuple(code.amr),
        claims={},
    )


def _act(actor: RegisteredClient, subject: LivingToken) -> dict[str, Any]:
    """RFC 8693 4.1: who acts now, and inside it who acted before."""
    act: dict[str, Any] = {"sub": actor.client_id}
    if subject.act:
        act["act"] = dict(subject.act)
    if _length(act) > LONGEST_CHAIN:
        raise MalformedRequest("Too many clients have acted in a row.")
    return act


def _length(act: Any) -> int:
    return 1 + _length(act["act"]) if "act" in act else 1
