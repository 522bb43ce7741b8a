"""Token exchange (RFC 8693): the tokens with which a client calls another on behalf of people who signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.clients.registry.queries import registered_client
from identity.clients.registry.rules import RegisteredClient
from identity.clients.token_exchange_policies.queries import allowed_scopes
from identity.openid.grants.request_problems import InvalidTarget
from identity.openid.models import Grant
from identity.openid.rules import MACHINE_TOKEN_LIFETIME, InvalidScope, MalformedRequest
from identity.openid.tokens.access_tokens import ActiveToken
from identity.openid.tokens.audiences import audience_named, named_clients, names_of
from identity.openid.tokens.proofs.sender_constraint import SenderConstraint
from identity.openid.tokens.tokens import GrantView, person_access_token, subject_for
from kernel.recording.work import Work, action

LONGEST_CHAIN = 4


@dataclass(frozen=True)
class Exchanged:
    """A token for calling the target on behalf of the person."""

    access_token: str
    scopes: frozenset[str]
    expires_at: datetime


@action
def exchange(
    work: Work,
    actor: RegisteredClient,
    subject: ActiveToken | None,
    target_id: str,
    requested_scopes: frozenset[str] | None,
    constraint: SenderConstraint,
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
    allowed = _allowed(actor, target) if target else None
    if target is None or allowed is None:
        raise InvalidTarget("The client may not call this target on behalf of people.")
    _check_named(actor, subject, target)
    scopes = subject.scopes & allowed if requested_scopes is None else requested_scopes
    if not scopes or not scopes <= subject.scopes & allowed:
        raise InvalidScope("Only scopes that the subject_token has and the policy allows.")
    grant = _grant(work, subject, scopes, target)
    expires_at = min(subject.expires_at, work.now + MACHINE_TOKEN_LIFETIME)
    act = _act(actor, subject)
    token = person_access_token(
        actor,
        grant,
        work.now,
        expires_at,
        subject=subject_for(target, grant.person_id),
        confirmation=constraint.cnf,
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


def _allowed(actor: RegisteredClient, target: RegisteredClient) -> frozenset[str] | None:
    # Made-up people never reach what is in use, nor real ones what is under test.
    if actor.environment != target.environment:
        return None
    return allowed_scopes(actor.client_id, target.client_id)


def _check_named(actor: RegisteredClient, subject: ActiveToken, target: RegisteredClient) -> None:
    """RFC 8707 2: a sign-in that named whom its tokens are for leads to nobody else. Raises InvalidTarget."""
    named = named_clients(subject.audience)
    if subject.client_id == actor.client_id and named and target.client_id not in named:
        raise InvalidTarget("The sign-in was for other clients, which it named by resource.")


def _grant(work: Work, subject: ActiveToken, scopes: frozenset[str], target: RegisteredClient) -> GrantView:
    code = work.session.get_one(Grant, subject.grant_id)
    if code.revoked_at is not None:
        raise MalformedRequest("The subject_token was revoked.")
    return GrantView(
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


def _act(actor: RegisteredClient, subject: ActiveToken) -> dict[str, Any]:
    """RFC 8693 4.1: who acts now, and inside it who acted before."""
    act: dict[str, Any] = {"sub": actor.client_id}
    if subject.act:
        act["act"] = dict(subject.act)
    if _length(act) > LONGEST_CHAIN:
        raise MalformedRequest("Too many clients have acted in a row.")
    return act


def _length(act: Any) -> int:
    return 1 + _length(act["act"]) if "act" in act else 1
