"""Reads of tokens by what a caller shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    DateTime,
    LargeBinary,
    Select,
    Uuid,
    bindparam,
    cast,
    literal_column,
    select,
    union_all,
)
from sqlalchemy import Text as SqlText

from identity.openid.models import AccessToken, Grant, RefreshToken, RevokedToken
from identity.people.queries import KNOWN_PERSON, with_person
from identity.people.rules import KnownPerson
from kernel.base import clock
from kernel.base.ids import token_hash
from kernel.database.db import session
from kernel.database.prepared import PreparedQuery


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
    authorization_details: Sequence[dict[str, Any]]


def _of_grant(*columns: Any) -> Select[Any]:
    return select(
        *columns,
        Grant.id,
        Grant.client_id,
        Grant.person_id,
        Grant.sid,
        Grant.authenticated_at,
        Grant.acr,
        Grant.authorization_details,
    ).where(Grant.revoked_at.is_(None))


_DIGEST, _NOW = bindparam("digest", type_=LargeBinary), bindparam("now", type_=DateTime(timezone=True))
_ACCESS = (
    _of_grant(
        literal_column("false").label("is_refresh_token"),
        AccessToken.created_at,
        AccessToken.expires_at,
        AccessToken.scopes,
        AccessToken.audience,
        AccessToken.dpop_jkt,
        AccessToken.cert_thumbprint,
    )
    .join(AccessToken, AccessToken.code_id == Grant.id)
    .where(AccessToken.token_hash == _DIGEST, AccessToken.expires_at > _NOW)
)
_REFRESH = (
    _of_grant(
        literal_column("true"),
        RefreshToken.created_at,
        RefreshToken.expires_at,
        Grant.scopes,
        literal_column("'[]'::jsonb"),
        RefreshToken.dpop_jkt,
        RefreshToken.cert_thumbprint,
    )
    .join(RefreshToken, RefreshToken.code_id == Grant.id)
    .where(RefreshToken.token_hash == _DIGEST, RefreshToken.expires_at > _NOW, RefreshToken.used_at.is_(None))
)
_stored = PreparedQuery(union_all(_ACCESS, _REFRESH))


def stored_token(token: str) -> StoredToken | None:
    """The living access or refresh token of this text, in one read; None for what is unknown, used or revoked."""
    row = _stored(digest=token_hash(token), now=clock.now())
    return StoredToken(*row) if row else None


def revoked_since(since: datetime) -> Sequence[tuple[str, datetime]]:
    """List revocations since then: identifiers of tokens and of sign-ins, each with its time."""
    query: CompoundSelect[Any] = union_all(
        select(RevokedToken.token_id, RevokedToken.revoked_at).where(RevokedToken.revoked_at > since),
        select(cast(Grant.id, SqlText), Grant.revoked_at).where(Grant.revoked_at > since),
    )
    return [(str(row[0]), row[1]) for row in session().execute(query)]


@dataclass(frozen=True)
class TokenHolder:
    """The holder of an access token: the person, the client, the data, and who may bring it."""

    person: KnownPerson
    client_id: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    claims: Mapping[str, list[str]]
    dpop_jkt: str | None
    cert_thumbprint: str | None


_holder_columns = (
    select(
        *KNOWN_PERSON,
        Grant.client_id,
        Grant.claims,
        AccessToken.scopes,
        AccessToken.audience,
        AccessToken.dpop_jkt,
        AccessToken.cert_thumbprint,
    )
    .select_from(AccessToken)
    .join(Grant, Grant.id == AccessToken.code_id)
    .where(AccessToken.token_hash == _DIGEST, AccessToken.expires_at > _NOW, Grant.revoked_at.is_(None))
)
_holder = PreparedQuery(with_person(_holder_columns, Grant.person_id))
_claims_of_grant = select(*KNOWN_PERSON, Grant.claims).select_from(Grant)
_person_of_grant = PreparedQuery(
    with_person(_claims_of_grant, Grant.person_id).where(
        Grant.id == bindparam("grant_id", type_=Uuid()), Grant.revoked_at.is_(None)
    )
)


def holder_of(access_token: str) -> TokenHolder | None:
    """Return the holder of a valid access token by reference, in one read; None for one unknown, expired or revoked."""
    row = _holder(digest=token_hash(access_token), now=clock.now())
    if row is None:
        return None
    *person, client_id, claims, scopes, audience, dpop_jkt, cert_thumbprint = row
    return TokenHolder(
        KnownPerson(*person), client_id, frozenset(scopes), tuple(audience), claims, dpop_jkt, cert_thumbprint
    )


def holder_of_code(code: str, client_id: str) -> TokenHolder | None:
    """Return the holder of a client's code, without using it up; None for one unknown, expired or revoked."""
    columns = select(*KNOWN_PERSON, Grant.scopes, Grant.claims).select_from(Grant)
    query = with_person(columns, Grant.person_id).where(
        Grant.code_hash == token_hash(code),
        Grant.client_id == client_id,
        Grant.expires_at > clock.now(),
        Grant.revoked_at.is_(None),
    )
    row = session().execute(query).one_or_none()
    if row is None:
        return None
    *person, scopes, claims = row
    return TokenHolder(KnownPerson(*person), client_id, frozenset(scopes), (), claims, None, None)


def person_of_grant(grant_id: UUID) -> tuple[KnownPerson, Mapping[str, list[str]]] | None:
    """The person of a sign-in, and the single claims that were asked for."""
    row = _person_of_grant(grant_id=grant_id)
    if row is None:
        return None
    *person, claims = row
    return KnownPerson(*person), claims
