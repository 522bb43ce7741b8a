"""Tokens for people: what comes of a sign-in to an application, how it is refreshed, and how a family of them ends."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select, update

from identity.clients.profiles.rules import MANUAL
from identity.clients.registry.rules import RegisteredClient
from identity.openid.grants.authorization_details import check_covered
from identity.openid.grants.request_problems import InvalidAuthorizationDetails, InvalidTarget
from identity.openid.models import AccessToken, Grant, RefreshToken
from identity.openid.rules import (
    ACCESS_TOKEN_LIFETIME,
    PROFILES,
    REFRESH_RETRY_GRACE,
    REFRESH_TOKEN_LIFETIME,
    InvalidGrant,
    InvalidScope,
)
from identity.openid.tokens.proofs.sender_constraint import UNBOUND, SenderConstraint
from identity.openid.tokens.revocation_cache import read_again
from identity.openid.tokens.tokens import GrantView, audience_or_default, id_token, person_access_token, tells_of_person
from identity.people.queries import get_person
from kernel.base.ids import new_token, token_hash
from kernel.base.installation import settings
from kernel.recording.work import Work, action


@dataclass(frozen=True)
class TokenRequest:
    """A token request beside the grant itself: fewer scopes, resources or details than were granted, a key."""

    scopes: frozenset[str] | None = None
    resources: Sequence[str] = ()
    details: Sequence[dict[str, Any]] | None = None
    constraint: SenderConstraint = UNBOUND


@dataclass(frozen=True)
class Issued:
    """The answer of the token endpoint (RFC 6749 5.1)."""

    access_token: str
    scopes: frozenset[str]
    id_token: str | None
    refresh_token: str | None
    authorization_details: Sequence[dict[str, object]] = ()
    token_type: str = "Bearer"


class Redeemed(NamedTuple):
    """A redeemed code: a row of `Grant` as the one statement returns it."""

    id: UUID
    person_id: UUID
    scopes: list[str]
    resources: list[str]
    authorization_details: list[dict[str, Any]]
    claims: dict[str, list[str]]
    sid: str
    authenticated_at: datetime
    acr: str
    amr: list[str]
    nonce: str | None


def revoke_grants(work: Work, grants: Iterable[UUID]) -> None:
    """End sign-ins to applications, and every token that came of them."""
    work.session.execute(
        update(Grant)
        .where(Grant.id.in_(list(grants)), Grant.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


def issue(
    work: Work,
    client: RegisteredClient,
    code: Grant,
    wanted: TokenRequest,
    *,
    refresh_token: str | None = None,
) -> Issued:
    """Tokens for a sign-in. refresh_token: the one to hand over again, where it is not a new one.

    Raises InvalidScope, InvalidTarget.
    """
    grant = downscoped(code, wanted)
    access_token = new_access_token(client, wanted)
    if access_token is not None:
        _keep_access_token(work, grant, access_token, wanted.constraint)
    if refresh_token is None and "offline_access" in code.scopes:
        refresh_token = new_token()
        _keep_refresh_token(work, client, code.id, refresh_token, wanted.constraint)
    return issued(client, code, wanted, work.now, access_token, refresh_token)


def issued(
    client: RegisteredClient,
    code: Redeemed | Grant,
    wanted: TokenRequest,
    now: datetime,
    access_token: str | None,
    refresh_token: str | None,
    nonce: str | None = None,
) -> Issued:
    """Put the answer together. access_token: the one kept, None for one by value, which is made here."""
    grant = downscoped(code, wanted)
    if access_token is None:
        expires_at = now + ACCESS_TOKEN_LIFETIME
        access_token = person_access_token(client, grant, now, expires_at, confirmation=wanted.constraint.cnf)
    signed = None
    if "openid" in grant.scopes:
        person = get_person(grant.person_id) if tells_of_person(client, grant) else None
        signed = id_token(client, replace(grant, nonce=nonce), access_token, now, person)
    details = grant.authorization_details
    return Issued(access_token, grant.scopes, signed, refresh_token, details, wanted.constraint.token_type)


def downscoped(code: Redeemed | Grant, wanted: TokenRequest) -> GrantView:
    """Narrow a grant to the scopes, resources and details that a request wants (RFC 6749 6)."""
    granted = frozenset(code.scopes)
    # RFC 6749 6: nothing that was not granted before.
    if wanted.scopes is not None and not wanted.scopes <= granted:
        raise InvalidScope("The scope names something that was not granted.")
    # RFC 8707 2.2: the token is for the resources asked for here, each of them granted before.
    if not set(wanted.resources) <= set(code.resources):
        raise InvalidTarget("A resource was not part of what was granted.")
    if wanted.details is not None:
        check_covered(wanted.details, code.authorization_details)
    return GrantView(
        id=code.id,
        person_id=code.person_id,
        scopes=granted if wanted.scopes is None else wanted.scopes,
        audience=audience_or_default(wanted.resources or code.resources),
        sid=code.sid,
        authenticated_at=code.authenticated_at,
        acr=code.acr,
        amr=tuple(code.amr),
        claims=code.claims,
        authorization_details=tuple(code.authorization_details if wanted.details is None else wanted.details),
    )


def new_access_token(client: RegisteredClient, wanted: TokenRequest) -> str | None:
    """A token by reference as the client's profile wants it, None where the client chose tokens by value.

    One for fewer details than were granted is by value always: it alone says which. Raises InvalidAuthorizationDetails
    in a profile that has none by value.
    """
    is_by_value = wanted.details is not None or client.options.get("access_token_format") == "jwt"
    if not PROFILES[client.profile].short_hexadecimal_tokens:
        return None if is_by_value else new_token()
    if wanted.details is not None:
        raise InvalidAuthorizationDetails(f"{MANUAL}: tokens of this profile cannot be narrowed by details.")
    return secrets.token_hex(16)


def _keep_access_token(work: Work, grant: GrantView, access_token: str, constraint: SenderConstraint) -> None:
    work.add(
        AccessToken(
            token_hash=token_hash(access_token),
            code_id=grant.id,
            scopes=sorted(grant.scopes),
            audience=list(grant.audience),
            dpop_jkt=constraint.dpop_jkt,
            cert_thumbprint=constraint.cert_thumbprint,
            created_at=work.now,
            expires_at=work.now + ACCESS_TOKEN_LIFETIME,
        )
    )


def _keep_refresh_token(
    work: Work, client: RegisteredClient, grant_id: UUID, token: str, constraint: SenderConstraint
) -> None:
    bound = bound_refresh(client, constraint)
    work.add(
        RefreshToken(
            token_hash=token_hash(token),
            code_id=grant_id,
            dpop_jkt=bound.dpop_jkt,
            cert_thumbprint=bound.cert_thumbprint,
            created_at=work.now,
            expires_at=work.now + REFRESH_TOKEN_LIFETIME,
        )
    )


def bound_refresh(client: RegisteredClient, constraint: SenderConstraint) -> SenderConstraint:
    """The constraint of a refresh token: only a client without credentials is held to its key (RFC 9449 5)."""
    # RFC 9449 5, RFC 8705 4: who has no other credentials is bound to the key it showed first.
    return constraint if client.auth_method == "none" else UNBOUND


@action
def refresh(work: Work, client: RegisteredClient, token: str, wanted: TokenRequest) -> Issued | None:
    """New tokens for a refresh token. None for a replay, which ended the family.

    Where the profile rotates, the token is used up (RFC 9700 4.14.2); the same token sent once more at once, because an
    answer was lost or two threads asked together, gets an equivalent answer with the very same successor.
    Raises InvalidGrant, InvalidScope, InvalidTarget.
    """
    row = work.session.execute(
        select(RefreshToken, Grant)
        .join(Grant, Grant.id == RefreshToken.code_id)
        .where(RefreshToken.token_hash == token_hash(token), Grant.client_id == client.client_id)
        .with_for_update(of=RefreshToken)
    ).one_or_none()
    if row is None:
        raise InvalidGrant("The refresh token is unknown, or was given to another client.")
    refresh_token, grant = row
    if grant.revoked_at is not None or refresh_token.expires_at <= work.now:
        raise InvalidGrant("The refresh token has expired or was revoked.")
    _check_key(refresh_token, wanted.constraint)
    if not PROFILES[client.profile].refresh_rotates:
        grant.kept_until = refresh_token.expires_at = work.now + REFRESH_TOKEN_LIFETIME
        return issue(work, client, grant, wanted, refresh_token=token)
    successor = _successor(token)
    if refresh_token.used_at is None:
        refresh_token.used_at = work.now
        grant.kept_until = work.now + REFRESH_TOKEN_LIFETIME
        _keep_refresh_token(work, client, grant.id, successor, wanted.constraint)
    elif not _is_retry(work, refresh_token, successor):
        revoke_grants(work, [grant.id])
        work.record("identity:refresh:replayed", f"client:{client.client_id}", person=str(grant.person_id))
        return None
    return issue(work, client, grant, wanted, refresh_token=successor)


def _check_key(refresh_token: RefreshToken, constraint: SenderConstraint) -> None:
    expected, given = (
        (refresh_token.dpop_jkt, refresh_token.cert_thumbprint),
        (constraint.dpop_jkt, constraint.cert_thumbprint),
    )
    if any(one is not None and one != other for one, other in zip(expected, given, strict=True)):
        raise InvalidGrant("The refresh token is bound to another key.")


def _is_retry(work: Work, refresh_token: RefreshToken, successor: str) -> bool:
    """Whether this is the first use once more: moments later, and its successor has not been used yet."""
    used_at: datetime | None = refresh_token.used_at
    if used_at is None or work.now - used_at > REFRESH_RETRY_GRACE:
        return False
    query = select(RefreshToken.used_at).where(RefreshToken.token_hash == token_hash(successor))
    return work.session.scalar(query) is None


def _successor(token: str) -> str:
    """The refresh token that follows this one: always the same, and nobody can tell it without our key.

    A retry can so be answered with the token that was handed out before, of which only the hash is kept.
    """
    digest = hmac.digest(_successor_key(settings().master_key), token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _successor_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:refresh-successor").derive(master_key)
