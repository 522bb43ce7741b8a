"""What the provider changes: consents, codes, tokens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from identity.clients.rules import RegisteredClient
from identity.openid.models import AccessToken, ApplicationConsent, AuthorizationCode, PushedRequest, RefreshToken
from identity.openid.request_problems import InvalidRequestUri
from identity.openid.rules import (
    ACCESS_TOKEN_LIVES,
    PROFILES,
    PUSHED_REQUEST_LIVES,
    PUSHED_REQUEST_URI,
    REFRESH_TOKEN_LIVES,
    REQUEST_KEPT,
    SWEPT_AFTER,
    InvalidGrant,
    InvalidScope,
)
from identity.openid.tokens import id_token
from identity.people.models import Person
from kernel.crypto import seal
from kernel.http import settings
from kernel.ids import new_id, new_token, token_hash
from kernel.jobs import periodic
from kernel.work import Work, action

SWEPT_AT_A_TIME = 1_000


@dataclass(frozen=True)
class Entry:
    """A person about to enter an application: who, how they signed in, and what the application asked for."""

    person: Person
    sid: str
    authenticated_at: datetime
    acr: str
    amr: list[str]
    client: RegisteredClient
    redirect_uri: str
    scopes: frozenset[str]
    nonce: str | None
    code_challenge: str | None
    agreed_scopes: frozenset[str]
    """`scopes`, and those that stand for single claims that were asked for."""
    claims: dict[str, list[str]]
    resources: tuple[str, ...]
    authorization_details: tuple[dict[str, Any], ...]
    pushed: bytes | None
    dpop_jkt: str | None = None
    """The thumbprint of the key that the code is bound to (RFC 9449 10)."""


@action
def push_request(work: Work, client: RegisteredClient, parameters: Mapping[str, Sequence[str]]) -> str:
    """Keep an authorization request for a moment; the request_uri that stands for it (RFC 9126 2.2)."""
    request_uri = PUSHED_REQUEST_URI + new_token()
    uri_hash = token_hash(request_uri)
    content = json.dumps({name: list(values) for name, values in parameters.items()}).encode()
    work.add(
        PushedRequest(
            uri_hash=uri_hash,
            client_id=client.client_id,
            sealed=seal(settings().master_key, content, f"pushed:{uri_hash.hex()}"),
            expires_at=work.now + PUSHED_REQUEST_LIVES,
        )
    )
    return request_uri


def _use_up(work: Work, pushed: bytes | None) -> None:
    """RFC 9126 4: a request_uri leads to one answer. Raises InvalidRequestUri for the second of two at once."""
    if pushed is None:
        return
    used = work.session.execute(
        update(PushedRequest)
        .where(PushedRequest.uri_hash == pushed, PushedRequest.used_at.is_(None))
        .values(used_at=work.now)
        .returning(PushedRequest.uri_hash)
        .execution_options(synchronize_session=False)
    )
    if used.one_or_none() is None:
        raise InvalidRequestUri()


@action
def allow(work: Work, entry: Entry) -> str:
    """Remember that the person agreed, and issue the code."""
    scopes = sorted(entry.agreed_scopes)
    details = list(entry.authorization_details)
    agreed = insert(ApplicationConsent).values(
        id=new_id(),
        person_id=entry.person.id,
        client_id=entry.client.client_id,
        scopes=scopes,
        authorization_details=details,
        given_at=work.now,
        last_used_at=work.now,
    )
    changed = {"scopes": scopes, "authorization_details": details, "given_at": work.now, "withdrawn_at": None}
    work.session.execute(agreed.on_conflict_do_update(index_elements=["person_id", "client_id"], set_=changed))
    told = {"authorization_details": details} if details else {}
    work.record(
        "identity:consent:given", f"client:{entry.client.client_id}", scopes=scopes, name=entry.client.name, **told
    )
    return enter(entry)


@action
def deny(work: Work, client: RegisteredClient, scopes: Iterable[str], pushed: bytes | None = None) -> None:
    """Remember that the person did not agree. Raises InvalidRequestUri."""
    _use_up(work, pushed)
    work.record("identity:consent:denied", f"client:{client.client_id}", scopes=sorted(scopes), name=client.name)


@action
def enter(work: Work, entry: Entry) -> str:
    """Issue the code with which the application learns who came in (RFC 6749 4.1.2); kept as a hash only.

    Raises InvalidRequestUri for a pushed request that was answered before.
    """
    _use_up(work, entry.pushed)
    profile = PROFILES[entry.client.profile]
    code = new_token(profile.code_characters)
    work.add(
        AuthorizationCode(
            code_hash=token_hash(code),
            client_id=entry.client.client_id,
            person_id=entry.person.id,
            redirect_uri=entry.redirect_uri,
            scopes=sorted(entry.scopes),
            resources=list(entry.resources),
            authorization_details=list(entry.authorization_details),
            claims=entry.claims,
            nonce=entry.nonce,
            code_challenge=entry.code_challenge,
            dpop_jkt=entry.dpop_jkt,
            sid=entry.sid,
            authenticated_at=entry.authenticated_at,
            acr=entry.acr,
            amr=entry.amr,
            created_at=work.now,
            expires_at=work.now + profile.code_lives,
            kept_until=work.now + profile.code_lives,
        )
    )
    work.session.execute(
        update(ApplicationConsent)
        .where(ApplicationConsent.person_id == entry.person.id, ApplicationConsent.client_id == entry.client.client_id)
        .values(last_used_at=work.now)
        .execution_options(synchronize_session=False)
    )
    work.record(
        "identity:application:entered",
        f"client:{entry.client.client_id}",
        name=entry.client.name,
        scopes=sorted(entry.scopes),
        acr=entry.acr,
    )
    return code


@dataclass(frozen=True)
class Issued:
    """What the token endpoint hands over (RFC 6749 5.1)."""

    access_token: str
    scopes: frozenset[str]
    id_token: str
    refresh_token: str | None


@action
def redeem_code(
    work: Work, client: RegisteredClient, code: str, redirect_uri: str | None, code_challenge: str | None
) -> Issued | None:
    """Exchange a code for tokens, once. None for a replay, which has then revoked what the code gave.

    code_challenge: the S256 of the verifier sent, if any. Raises InvalidGrant.
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
        .values(redeemed_at=work.now, kept_until=work.now + _lifetime(client.scopes))
        .returning(AuthorizationCode)
    )
    if redeemed is None:
        _refuse_code(work, client, code)
        return None
    # RFC 6749 4.1.3: the same redirect_uri as in the authorization request.
    if redirect_uri != redeemed.redirect_uri:
        raise InvalidGrant("The redirect_uri is not the one of the authorization request.")
    _check_challenge(redeemed.code_challenge, code_challenge)
    return _issue(work, client, redeemed, frozenset(redeemed.scopes))


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
    _revoke(work, known)
    work.record("identity:code:replayed", f"client:{client.client_id}", person=str(known.person_id))


def _revoke(work: Work, code: AuthorizationCode) -> None:
    work.session.execute(
        update(AuthorizationCode)
        .where(AuthorizationCode.id == code.id, AuthorizationCode.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )


def _lifetime(scopes: Iterable[str]) -> timedelta:
    return REFRESH_TOKEN_LIVES if "offline_access" in scopes else ACCESS_TOKEN_LIVES


def _issue(work: Work, client: RegisteredClient, code: AuthorizationCode, scopes: frozenset[str]) -> Issued:
    short = PROFILES[client.profile].short_hexadecimal_tokens
    access_token = secrets.token_hex(16) if short else new_token()
    refresh_token = new_token() if "offline_access" in code.scopes else None
    work.add(
        AccessToken(
            token_hash=token_hash(access_token),
            code_id=code.id,
            scopes=sorted(scopes),
            created_at=work.now,
            expires_at=work.now + ACCESS_TOKEN_LIVES,
        )
    )
    if refresh_token is not None:
        work.add(
            RefreshToken(
                token_hash=token_hash(refresh_token),
                code_id=code.id,
                created_at=work.now,
                expires_at=work.now + REFRESH_TOKEN_LIVES,
            )
        )
    signed = id_token(client, code, access_token, work.now)
    return Issued(access_token, scopes, signed, refresh_token)


@action
def refresh(work: Work, client: RegisteredClient, token: str, scopes: frozenset[str] | None) -> Issued | None:
    """New tokens for a refresh token, which is used up (RFC 9700 4.14.2). None for a replay, which ended the family.

    scopes: fewer than were granted, or None for all of them. Raises InvalidGrant, InvalidScope.
    """
    used = work.session.scalar(
        update(RefreshToken)
        .where(
            RefreshToken.token_hash == token_hash(token),
            RefreshToken.used_at.is_(None),
            RefreshToken.expires_at > work.now,
        )
        .values(used_at=work.now)
        .returning(RefreshToken.code_id)
        .execution_options(synchronize_session=False)
    )
    if used is None:
        _refuse_refresh(work, client, token)
        return None
    code = work.session.get_one(AuthorizationCode, used)
    if code.client_id != client.client_id or code.revoked_at is not None:
        raise InvalidGrant("The refresh token was revoked, or was given to another client.")
    granted = frozenset(code.scopes)
    # RFC 6749 6: nothing that was not granted before.
    if scopes is not None and not scopes <= granted:
        raise InvalidScope("The scope names something that was not granted.")
    code.kept_until = work.now + REFRESH_TOKEN_LIVES
    return _issue(work, client, code, granted if scopes is None else scopes)


def _refuse_refresh(work: Work, client: RegisteredClient, token: str) -> None:
    known = work.session.scalar(
        select(AuthorizationCode)
        .join(RefreshToken, RefreshToken.code_id == AuthorizationCode.id)
        .where(
            RefreshToken.token_hash == token_hash(token),
            RefreshToken.used_at.is_not(None),
            AuthorizationCode.client_id == client.client_id,
        )
    )
    if known is None:
        raise InvalidGrant("The refresh token is unknown, has expired, was revoked, or was given to another client.")
    _revoke(work, known)
    work.record("identity:refresh:replayed", f"client:{client.client_id}", person=str(known.person_id))


@action
def withdraw_consent(work: Work, person_id: UUID, client_id: str) -> None:
    """End what a person shares with an application, and every token it holds. Does nothing where nothing is shared."""
    consent = work.session.scalar(
        select(ApplicationConsent)
        .where(
            ApplicationConsent.person_id == person_id,
            ApplicationConsent.client_id == client_id,
            ApplicationConsent.withdrawn_at.is_(None),
        )
        .with_for_update()
    )
    if consent is None:
        return
    consent.withdrawn_at = work.now
    work.session.execute(
        update(AuthorizationCode)
        .where(
            AuthorizationCode.person_id == person_id,
            AuthorizationCode.client_id == client_id,
            AuthorizationCode.revoked_at.is_(None),
        )
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    work.record("identity:consent:withdrawn", f"client:{client_id}")


@periodic("identity:openid:sweep", "*/10 * * * *")
def sweep() -> None:
    """Remove what can no longer be used, in batches that keep nobody waiting."""
    while sweep_batch() == SWEPT_AT_A_TIME:
        pass


@action
def sweep_batch(work: Work) -> int:
    """One batch; the number of sign-ins whose codes and tokens were removed."""
    ended = (
        select(AuthorizationCode.id)
        .where(AuthorizationCode.kept_until < work.now - SWEPT_AFTER)
        .limit(SWEPT_AT_A_TIME)
        .with_for_update(skip_locked=True)
    )
    work.session.execute(delete(PushedRequest).where(PushedRequest.expires_at < work.now - REQUEST_KEPT))
    removed = work.session.execute(
        delete(AuthorizationCode)
        .where(AuthorizationCode.id.in_(ended))
        .returning(AuthorizationCode.id)
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())
