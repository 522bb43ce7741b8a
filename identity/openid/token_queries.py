"""Reads of tokens by what a caller shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CompoundSelect, Select, cast, literal, select, union_all
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB

from identity.openid.models import AccessToken, AuthorizationCode, RefreshToken, RevokedToken
from identity.people.models import Person
from kernel import clock
from kernel.db import session
from kernel.ids import token_hash


@dataclass(frozen=True)
class StoredToken:
    """A living token of a person that is kept by its hash, with the sign-in that it comes from."""

    is_refresh_token: bool
    created_at: datetime
    expires_at: datetime
    scopes: Sequence[str]
    audience: Sequence[str]
    dpop_jkt: str | None
    cert_thumbprint: str | None
    grant_id: UUID
    client_id: str
    person_id: UUID
    sid: str
    authenticated_at: datetime
    acr: str


def stored_token(token: str) -> StoredToken | None:
    """The living access or refresh token of this text, in one read; None for what is unknown, used or revoked."""
    digest = token_hash(token)
    access = _of_grant(
        literal(False).label("is_refresh_token"),
        AccessToken.created_at,
        AccessToken.expires_at,
        AccessToken.scopes,
        AccessToken.audience,
        AccessToken.dpop_jkt,
        AccessToken.cert_thumbprint,
    ).join(AccessToken, AccessToken.code_id == AuthorizationCode.id)
    refresh = _of_grant(
        literal(True),
        RefreshToken.created_at,
        RefreshToken.expires_at,
        AuthorizationCode.scopes,
        cast(literal([], JSON), JSONB),
        RefreshToken.dpop_jkt,
        RefreshToken.cert_thumbprint,
    ).join(RefreshToken, RefreshToken.code_id == AuthorizationCode.id)
    now = clock.now()
    query: CompoundSelect[Any] = union_all(
        access.where(AccessToken.token_hash == digest, AccessToken.expires_at > now),
        refresh.where(RefreshToken.token_hash == digest, RefreshToken.expires_at > now, RefreshToken.used_at.is_(None)),
    )
    row = session().execute(query).one_or_none()
    return StoredToken(*row) if row else None


def _of_grant(*columns: Any) -> Select[Any]:
    return select(
        *columns,
        AuthorizationCode.id,
        AuthorizationCode.client_id,
        AuthorizationCode.person_id,
        AuthorizationCode.sid,
        AuthorizationCode.authenticated_at,
        AuthorizationCode.acr,
    ).where(AuthorizationCode.revoked_at.is_(None))


def revoked_since(since: datetime) -> Sequence[tuple[str, datetime]]:
    """What was revoked since then: identifiers of tokens and of sign-ins, each with its time."""
    query: CompoundSelect[Any] = union_all(
        select(RevokedToken.token_id, RevokedToken.revoked_at).where(RevokedToken.revoked_at > since),
        select(cast(AuthorizationCode.id, SqlText), AuthorizationCode.revoked_at).where(
            AuthorizationCode.revoked_at > since
        ),
    )
    return [(str(row[0]), row[1]) for row in session().execute(query)]


@dataclass(frozen=True)
class TokenHolder:
    """Whom an access token speaks of, to whom, about what, and who may bring it."""

    person: Person
    client_id: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    claims: Mapping[str, list[str]]
    dpop_jkt: str | None
    cert_thumbprint: str | None


def holder_of(access_token: str) -> TokenHolder | None:
    """Whom a living access token by reference speaks of, in one read; None for one unknown, expired or revoked."""
    query = (
        select(
            Person,
            AuthorizationCode.client_id,
            AuthorizationCode.claims,
            AccessToken.scopes,
            AccessToken.audience,
            AccessToken.dpop_jkt,
            AccessToken.cert_thumbprint,
        )
        .select_from(AccessToken)
        .join(AuthorizationCode, AuthorizationCode.id == AccessToken.code_id)
        .join(Person, Person.id == AuthorizationCode.person_id)
        .where(
            AccessToken.token_hash == token_hash(access_token),
            AccessToken.expires_at > clock.now(),
            AuthorizationCode.revoked_at.is_(None),
        )
    )
    row = session().execute(query).one_or_none()
    if row is None:
        return None
    person, client_id, claims, scopes, audience, dpop_jkt, cert_thumbprint = row
    return TokenHolder(person, client_id, frozenset(scopes), tuple(audience), claims, dpop_jkt, cert_thumbprint)


def person_of_grant(grant_id: UUID) -> tuple[Person, Mapping[str, list[str]]] | None:
    """The person of a sign-in, and the single claims that were asked for."""
    query = (
        select(Person, AuthorizationCode.claims)
        .join(AuthorizationCode, AuthorizationCode.person_id == Person.id)
        .where(AuthorizationCode.id == grant_id, AuthorizationCode.revoked_at.is_(None))
    )
    row = session().execute(query).one_or_none()
    return (row[0], row[1]) if row else None
