"""Tokens for people: what a code or a refresh token is exchanged for, and how a family of them ends."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Boolean, DateTime, LargeBinary, Text, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from identity.clients.rules import RegisteredClient
from identity.openid.authorization_details import check_covered
from identity.openid.models import AccessToken, AuthorizationCode, RefreshToken
from identity.openid.proofs.binding import UNBOUND, Binding
from identity.openid.request_problems import InvalidAuthorizationDetails, InvalidTarget
from identity.openid.revoked import read_again
from identity.openid.rules import (
    ACCESS_TOKEN_LIVES,
    PROFILES,
    REFRESH_RETRY_GRACE,
    REFRESH_TOKEN_LIVES,
    InvalidGrant,
    InvalidScope,
)
from identity.openid.tokens import Grant, audience_or_default, id_token, person_access_token
from identity.people.models import Person
from identity.profiles.rules import MANUAL
from kernel import clock
from kernel.db import session
from kernel.http import settings
from kernel.ids import new_token, token_hash
from kernel.statements import Change
from kernel.work import Work, action


@dataclass(frozen=True)
class Wanted:
    """What a token request asks for besides the grant itself: fewer scopes, resources or details than were granted, a
    key.
    """

    scopes: frozenset[str] | None = None
    resources: Sequence[str] = ()
    details: Sequence[dict[str, Any]] | None = None
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


class Redeemed(NamedTuple):
    """What a code stood for: a row of `AuthorizationCode` as the one statement returns it."""

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


def _redemption() -> Change:
    """The code used up and its tokens kept, if all that the request says of the code is true; nothing otherwise."""
    code = AuthorizationCode
    redeemed = (
        update(code)
        .where(
            code.code_hash == bindparam("code_hash"),
            code.client_id == bindparam("client_id"),
            code.redeemed_at.is_(None),
            code.revoked_at.is_(None),
            code.expires_at > bindparam("now"),
            # RFC 6749 4.1.3: the same redirect_uri as in the authorization request.
            code.redirect_uri == bindparam("redirect_uri"),
            # RFC 7636 4.6, and RFC 9700 4.8.2: a verifier without a challenge is an attempt to downgrade.
            code.code_challenge.is_not_distinct_from(bindparam("code_challenge")),
            # RFC 9449 10: a code bound to a key is redeemed with a proof of that key.
            or_(code.dpop_jkt.is_(None), code.dpop_jkt == bindparam("dpop_jkt")),
            code.scopes.contains(bindparam("wanted_scopes")),
            code.resources.contains(bindparam("wanted_resources")),
        )
        .values(redeemed_at=bindparam("now"), kept_until=bindparam("kept_until"))
        .returning(*(getattr(code, name) for name in Redeemed._fields))
        .cte("redeemed")
    )
    access = insert(AccessToken).from_select(
        ["token_hash", "code_id", "scopes", "audience", "created_at", "expires_at", "dpop_jkt", "cert_thumbprint"],
        select(
            bindparam("access_hash", type_=LargeBinary),
            redeemed.c.id,
            func.coalesce(bindparam("scopes", type_=JSONB), redeemed.c.scopes),
            # RFC 8707 2.2: what is asked for here, else what was granted; RFC 9068 3: else one by default.
            func.coalesce(
                bindparam("audience", type_=JSONB),
                func.nullif(redeemed.c.resources, literal([], JSONB)),
                bindparam("default_audience", type_=JSONB),
            ),
            bindparam("now", type_=DateTime(timezone=True)),
            bindparam("access_expires_at", type_=DateTime(timezone=True)),
            bindparam("dpop_jkt", type_=Text),
            bindparam("cert_thumbprint", type_=Text),
        ).where(bindparam("is_by_reference", type_=Boolean)),
    )
    refresh = insert(RefreshToken).from_select(
        ["token_hash", "code_id", "dpop_jkt", "cert_thumbprint", "created_at", "expires_at"],
        select(
            bindparam("refresh_hash", type_=LargeBinary),
            redeemed.c.id,
            bindparam("refresh_jkt", type_=Text),
            bindparam("refresh_thumbprint", type_=Text),
            bindparam("now", type_=DateTime(timezone=True)),
            bindparam("refresh_expires_at", type_=DateTime(timezone=True)),
        ).where(redeemed.c.scopes.has_key("offline_access")),
    )
    return Change(select(redeemed).add_cte(access.cte("access"), refresh.cte("refresh")))


_redeem = _redemption()


def redeem_code(
    client: RegisteredClient, code: str, redirect_uri: str | None, code_challenge: str | None, wanted: Wanted
) -> Issued | None:
    """Exchange a code for tokens, once. None for a replay, which has then revoked what the code gave.

    code_challenge: the S256 of the verifier sent, if any. Raises InvalidGrant, InvalidScope, InvalidTarget.
    """
    if wanted.details is not None:
        _check_details(client, code, wanted.details)
    now, binding = clock.now(), wanted.binding
    access_token, refresh_token = _new_access_token(client, wanted), new_token()
    row = _redeem(
        code_hash=token_hash(code),
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        wanted_scopes=sorted(wanted.scopes or ()),
        wanted_resources=list(wanted.resources),
        now=now,
        kept_until=now + lifetime(client.scopes),
        is_by_reference=access_token is not None,
        access_hash=token_hash(access_token or ""),
        scopes=sorted(wanted.scopes) if wanted.scopes is not None else None,
        audience=list(wanted.resources) or None,
        default_audience=audience_or_default(()),
        access_expires_at=now + ACCESS_TOKEN_LIVES,
        dpop_jkt=binding.dpop_jkt,
        cert_thumbprint=binding.cert_thumbprint,
        refresh_hash=token_hash(refresh_token),
        refresh_jkt=_bound_refresh(client, binding).dpop_jkt,
        refresh_thumbprint=_bound_refresh(client, binding).cert_thumbprint,
        refresh_expires_at=now + REFRESH_TOKEN_LIVES,
    )
    if row is None:
        _refuse_code(client, code, redirect_uri, code_challenge, wanted)
        return None
    redeemed = Redeemed(*row)
    kept_refresh_token = refresh_token if "offline_access" in redeemed.scopes else None
    return _issued(client, redeemed, wanted, now, access_token, kept_refresh_token, redeemed.nonce)


def _check_details(client: RegisteredClient, code: str, wanted: Sequence[dict[str, Any]]) -> None:
    """Before the code is used up, and only where details are named. Raises InvalidAuthorizationDetails."""
    query = select(AuthorizationCode.authorization_details).where(
        AuthorizationCode.code_hash == token_hash(code), AuthorizationCode.client_id == client.client_id
    )
    granted = session().scalar(query)
    if granted is not None:
        check_covered(wanted, granted)


@action
def _refuse_code(
    work: Work,
    client: RegisteredClient,
    code: str,
    redirect_uri: str | None,
    code_challenge: str | None,
    wanted: Wanted,
) -> None:
    """Say why a code was not redeemed. Raises InvalidGrant, InvalidScope, InvalidTarget, but not for a replay."""
    known = work.session.scalar(
        select(AuthorizationCode).where(
            AuthorizationCode.code_hash == token_hash(code), AuthorizationCode.client_id == client.client_id
        )
    )
    if known is not None and known.redeemed_at is not None:
        # RFC 6749 4.1.2: a code works once; a replay revokes what it gave.
        revoke_grants(work, [known.id])
        work.record("identity:code:replayed", f"client:{client.client_id}", person=str(known.person_id))
        return
    if known is None or known.revoked_at is not None or known.expires_at <= work.now:
        raise InvalidGrant("The code is unknown, has expired, or was given to another client.")
    if redirect_uri != known.redirect_uri:
        raise InvalidGrant("The redirect_uri is not the one of the authorization request.")
    _check_challenge(known.code_challenge, code_challenge)
    if known.dpop_jkt is not None and known.dpop_jkt != wanted.binding.dpop_jkt:
        raise InvalidGrant("The code is bound to another DPoP key.")
    _narrowed(known, wanted)
    raise InvalidGrant("The code cannot be redeemed.")


def _check_challenge(expected: str | None, shown: str | None) -> None:
    if expected is None and shown is not None:
        raise InvalidGrant("There is a code_verifier, but the authorization request had no code_challenge.")
    if expected is not None and shown is None:
        raise InvalidGrant("The code_verifier is missing.")
    if expected != shown:
        raise InvalidGrant("The code_verifier does not match the code_challenge.")


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
    refresh_token: str | None = None,
) -> Issued:
    """Tokens for a sign-in. refresh_token: the one to hand over again, where it is not a new one.

    Raises InvalidScope, InvalidTarget.
    """
    grant = _narrowed(code, wanted)
    access_token = _new_access_token(client, wanted)
    if access_token is not None:
        _keep_access_token(work, grant, access_token, wanted.binding)
    if refresh_token is None and "offline_access" in code.scopes:
        refresh_token = new_token()
        _keep_refresh_token(work, client, code.id, refresh_token, wanted.binding)
    return _issued(client, code, wanted, work.now, access_token, refresh_token)


def _issued(
    client: RegisteredClient,
    code: Redeemed | AuthorizationCode,
    wanted: Wanted,
    now: datetime,
    access_token: str | None,
    refresh_token: str | None,
    nonce: str | None = None,
) -> Issued:
    """What is handed over. access_token: the one kept, None for one by value, which is made here."""
    grant = _narrowed(code, wanted)
    if access_token is None:
        expires_at = now + ACCESS_TOKEN_LIVES
        access_token = person_access_token(client, grant, now, expires_at, confirmation=wanted.binding.cnf)
    signed = None
    if "openid" in grant.scopes:
        person = session().get_one(Person, grant.person_id) if grant.claims.get("id_token") else None
        signed = id_token(client, replace(grant, nonce=nonce), access_token, now, person)
    details = grant.authorization_details
    return Issued(access_token, grant.scopes, signed, refresh_token, details, wanted.binding.token_type)


def _narrowed(code: Redeemed | AuthorizationCode, wanted: Wanted) -> Grant:
    granted = frozenset(code.scopes)
    # RFC 6749 6: nothing that was not granted before.
    if wanted.scopes is not None and not wanted.scopes <= granted:
        raise InvalidScope("The scope names something that was not granted.")
    # RFC 8707 2.2: the token is for the resources asked for here, each of them granted before.
    if not set(wanted.resources) <= set(code.resources):
        raise InvalidTarget("A resource was not part of what was granted.")
    if wanted.details is not None:
        check_covered(wanted.details, code.authorization_details)
    return Grant(
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


def _new_access_token(client: RegisteredClient, wanted: Wanted) -> str | None:
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


def _keep_access_token(work: Work, grant: Grant, access_token: str, binding: Binding) -> None:
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


def _keep_refresh_token(work: Work, client: RegisteredClient, grant_id: UUID, token: str, binding: Binding) -> None:
    bound = _bound_refresh(client, binding)
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


def _bound_refresh(client: RegisteredClient, binding: Binding) -> Binding:
    # RFC 9449 5, RFC 8705 4: who has no other credentials is bound to the key it showed first.
    return binding if client.auth_method == "none" else UNBOUND


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
