"""Tokens for people: what a code or a refresh token is exchanged for, and how a family of them ends."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select, update

from identity.clients.rules import RegisteredClient
from identity.openid.models import AccessToken, AuthorizationCode, RefreshToken
from identity.openid.proofs.binding import UNBOUND, Binding
from identity.openid.request_problems import InvalidTarget
from identity.openid.revoked import read_again
from identity.openid.rules import (
    ACCESS_TOKEN_LIVES,
    PROFILES,
    REFRESH_RETRY_GRACE,
    REFRESH_TOKEN_LIVES,
    InvalidGrant,
    InvalidScope,
)
from identity.openid.tokens import Grant, id_token, person_access_token
from identity.people.models import Person
from kernel.http import settings
from kernel.ids import new_token, token_hash
from kernel.work import Work, action


@dataclass(frozen=True)
class Wanted:
    """What a token request asks for besides the grant itself: fewer scopes or resources than were granted, a key."""

    scopes: frozenset[str] | None = None
    resources: Sequence[str] = ()
    binding: Binding = UNBOUND


@dataclass(frozen=True)
class Issued:
    """What the token endpoint hands over (RFC 6749 5.1)."""

    access_token: str
    scopes: frozenset[str]
    id_token: str | None
    refresh_token: str | None
    authorization_details: Sequence[dict[str, object]] = ()
    token_type: str = "Bearer"


@action
def redeem_code(
    work: Work,
    client: RegisteredClient,
    code: str,
    redirect_uri: str | None,
    code_challenge: str | None,
    wanted: Wanted,
) -> Issued | None:
    """Exchange a code for tokens, once. None for a replay, which has then revoked what the code gave.

    code_challenge: the S256 of the verifier sent, if any. Raises InvalidGrant, InvalidTarget.
    """
    redeemed = work.session.scalar(
        update(AuthorizationCode)
        .where(
            AuthorizationCode.code_hash == token_hash(code),
            AuthorizationCode.client_id == client.client_id,
            AuthorizationCode.redeemed_at.is_(None),
            AuthorizationCode.revoked_at.is_(None),
            AuthorizationCode.expires_at > work.now,
        )
        .values(redeemed_at=work.now, kept_until=work.now + lifetime(client.scopes))
        .returning(AuthorizationCode)
    )
    if redeemed is None:
        _refuse_code(work, client, code)
        return None
    # RFC 6749 4.1.3: the same redirect_uri as in the authorization request.
    if redirect_uri != redeemed.redirect_uri:
        raise InvalidGrant("The redirect_uri is not the one of the authorization request.")
    _check_challenge(redeemed.code_challenge, code_challenge)
    # RFC 9449 10: a code bound to a key is redeemed with a proof of that key.
    if redeemed.dpop_jkt is not None and redeemed.dpop_jkt != wanted.binding.dpop_jkt:
        raise InvalidGrant("The code is bound to another DPoP key.")
    return issue(work, client, redeemed, wanted, nonce=redeemed.nonce)


def _check_challenge(expected: str | None, shown: str | None) -> None:
    # RFC 9700 4.8.2: a verifier without a challenge is an attempt to downgrade.
    if expected is None and shown is not None:
        raise InvalidGrant("There is a code_verifier, but the authorization request had no code_challenge.")
    # RFC 7636 4.6
    if expected is not None and shown is None:
        raise InvalidGrant("The code_verifier is missing.")
    if expected != shown:
        raise InvalidGrant("The code_verifier does not match the code_challenge.")


def _refuse_code(work: Work, client: RegisteredClient, code: str) -> None:
    known = work.session.scalar(
        select(AuthorizationCode).where(
            AuthorizationCode.code_hash == token_hash(code), AuthorizationCode.client_id == client.client_id
        )
    )
    if known is None or known.redeemed_at is None:
        raise InvalidGrant("The code is unknown, has expired, or was given to another client.")
    # RFC 6749 4.1.2: a code works once; a replay revokes what it gave.
    revoke_grants(work, [known.id])
    work.record("identity:code:replayed", f"client:{client.client_id}", person=str(known.person_id))


def revoke_grants(work: Work, grants: Iterable[UUID]) -> None:
    """End sign-ins to applications, and every token that came of them."""
    work.session.execute(
        update(AuthorizationCode)
        .where(AuthorizationCode.id.in_(list(grants)), AuthorizationCode.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


def lifetime(scopes: Iterable[str]) -> timedelta:
    """How long what comes of a sign-in with these scopes may be used."""
    return REFRESH_TOKEN_LIVES if "offline_access" in scopes else ACCESS_TOKEN_LIVES


def issue(
    work: Work,
    client: RegisteredClient,
    code: AuthorizationCode,
    wanted: Wanted,
    *,
    nonce: str | None = None,
    refresh_token: str | None = None,
) -> Issued:
    """Tokens for a sign-in. refresh_token: the one to hand over again, where it is not a new one.

    Raises InvalidScope, InvalidTarget.
    """
    grant = _narrowed(client, code, wanted)
    access_token = _access_token(work, client, grant, wanted.binding)
    if refresh_token is None and "offline_access" in code.scopes:
        refresh_token = new_token()
        _keep_refresh_token(work, client, code.id, refresh_token, wanted.binding)
    signed = None
    if "openid" in grant.scopes:
        person = work.session.get_one(Person, code.person_id) if code.claims.get("id_token") else None
        signed = id_token(client, replace(grant, nonce=nonce), access_token, work.now, person)
    details = tuple(code.authorization_details)
    return Issued(access_token, grant.scopes, signed, refresh_token, details, wanted.binding.token_type)


def _narrowed(client: RegisteredClient, code: AuthorizationCode, wanted: Wanted) -> Grant:
    granted = frozenset(code.scopes)
    # RFC 6749 6: nothing that was not granted before.
    if wanted.scopes is not None and not wanted.scopes <= granted:
        raise InvalidScope("The scope names something that was not granted.")
    # RFC 8707 2.2: the token is for the resources asked for here, each of them granted before.
    if not set(wanted.resources) <= set(code.resources):
        raise InvalidTarget("A resource was not part of what was granted.")
    # RFC 9068 3: without a resource the audience is one by default, here the provider with its userinfo.
    audience = tuple(wanted.resources) or tuple(code.resources) or (settings().issuer,)
    return Grant(
        id=code.id,
        person_id=code.person_id,
        scopes=granted if wanted.scopes is None else wanted.scopes,
        audience=audience,
        sid=code.sid,
        authenticated_at=code.authenticated_at,
        acr=code.acr,
        amr=tuple(code.amr),
        claims=code.claims,
        authorization_details=tuple(code.authorization_details),
    )


def _access_token(work: Work, client: RegisteredClient, grant: Grant, binding: Binding) -> str:
    short = PROFILES[client.profile].short_hexadecimal_tokens
    if client.options.get("access_token_format") == "jwt" and not short:
        return person_access_token(client, grant, work.now, work.now + ACCESS_TOKEN_LIVES, confirmation=binding.cnf)
    access_token = secrets.token_hex(16) if short else new_token()
    work.add(
        AccessToken(
            token_hash=token_hash(access_token),
            code_id=grant.id,
            scopes=sorted(grant.scopes),
            audience=list(grant.audience),
            dpop_jkt=binding.dpop_jkt,
            cert_thumbprint=binding.cert_thumbprint,
            created_at=work.now,
            expires_at=work.now + ACCESS_TOKEN_LIVES,
        )
    )
    return access_token


def _keep_refresh_token(work: Work, client: RegisteredClient, grant_id: UUID, token: str, binding: Binding) -> None:
    # RFC 9449 5, RFC 8705 4: who has no other credentials is bound to the key it showed first.
    bound = binding if client.auth_method == "none" else UNBOUND
    work.add(
        RefreshToken(
            token_hash=token_hash(token),
            code_id=grant_id,
            dpop_jkt=bound.dpop_jkt,
            cert_thumbprint=bound.cert_thumbprint,
            created_at=work.now,
            expires_at=work.now + REFRESH_TOKEN_LIVES,
        )
    )


@action
def refresh(work: Work, client: RegisteredClient, token: str, wanted: Wanted) -> Issued | None:
    """New tokens for a refresh token. None for a replay, which ended the family.

    Where the profile rotates, the token is used up (RFC 9700 4.14.2); the same token sent once more at once, because an
    answer was lost or two threads asked together, gets an equivalent answer with the very same successor.
    Raises InvalidGrant, InvalidScope, InvalidTarget.
    """
    found = work.session.execute(
        select(RefreshToken, AuthorizationCode)
        .join(AuthorizationCode, AuthorizationCode.id == RefreshToken.code_id)
        .where(RefreshToken.token_hash == token_hash(token), AuthorizationCode.client_id == client.client_id)
        .with_for_update(of=RefreshToken)
    ).one_or_none()
    if found is None:
        raise InvalidGrant("The refresh token is unknown, or was given to another client.")
    shown, code = found
    if code.revoked_at is not None or shown.expires_at <= work.now:
        raise InvalidGrant("The refresh token has expired or was revoked.")
    _check_key(shown, wanted.binding)
    if not PROFILES[client.profile].refresh_rotates:
        code.kept_until = shown.expires_at = work.now + REFRESH_TOKEN_LIVES
        return issue(work, client, code, wanted, refresh_token=token)
    successor = _successor(token)
    if shown.used_at is None:
        shown.used_at = work.now
        code.kept_until = work.now + REFRESH_TOKEN_LIVES
        _keep_refresh_token(work, client, code.id, successor, wanted.binding)
    elif not _is_retry(work, shown, successor):
        revoke_grants(work, [code.id])
        work.record("identity:refresh:replayed", f"client:{client.client_id}", person=str(code.person_id))
        return None
    return issue(work, client, code, wanted, refresh_token=successor)


def _check_key(shown: RefreshToken, binding: Binding) -> None:
    expected, given = (shown.dpop_jkt, shown.cert_thumbprint), (binding.dpop_jkt, binding.cert_thumbprint)
    if any(one is not None and one != other for one, other in zip(expected, given, strict=True)):
        raise InvalidGrant("The refresh token is bound to another key.")


def _is_retry(work: Work, shown: RefreshToken, successor: str) -> bool:
    """Whether this is the first use once more: moments later, and its successor has not been used yet."""
    used_at: datetime | None = shown.used_at
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
