"""Access tokens that come back, however they are written: by reference (opaque) or by value (RFC 9068)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from identity.clients.registry.queries import known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.rules import MAX_PARAMETER_CHARACTERS
from identity.openid.tokens.revocation_cache import is_revoked
from identity.openid.tokens.token_queries import StoredToken, stored_token
from identity.openid.tokens.tokens import subject_for, verified_access_token
from kernel.base import clock

BINDING_CLAIMS = ("agency", "agreement", "service", "version")
MAX_SIGNED_CHARACTERS = 8_000


@dataclass(frozen=True)
class ActiveToken:
    """The claims of a token that may be used.

    token_id: its `jti`, None of one by reference. grant_id: the sign-in that it comes from, None of a system's own.
    confirmation: the `cnf` of a token that is bound to a key. act: who acts for the subject (RFC 8693 4.1).
    """

    client_id: str
    subject: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    token_id: str | None = None
    grant_id: UUID | None = None
    person_id: UUID | None = None
    authenticated_at: datetime | None = None
    acr: str | None = None
    confirmation: Mapping[str, Any] | None = None
    act: Mapping[str, Any] | None = None
    service_binding: Mapping[str, str] | None = None
    authorization_details: Sequence[Mapping[str, Any]] = ()
    is_refresh_token: bool = False


def active_token(token: str) -> ActiveToken | None:
    """Return the claims of a token; None for one that is unknown, expired or revoked, or whose client was revoked.

    At most one read for a token by reference, none for one by value beyond what this process remembers.
    """
    if is_by_value(token):
        return _by_value(token)
    if len(token) > MAX_PARAMETER_CHARACTERS:
        return None
    stored = stored_token(token)
    client = known_client(stored.client_id) if stored else None
    return _by_reference(stored, client) if stored and client else None


def is_by_value(token: str) -> bool:
    """Whether the token is written as a JWT: ours by reference have no dots."""
    return token.count(".") == 2


def _by_reference(stored: StoredToken, client: RegisteredClient) -> ActiveToken:
    return ActiveToken(
        client_id=stored.client_id,
        subject=subject_for(client, stored.person_id),
        scopes=frozenset(stored.scopes),
        audience=tuple(stored.audience),
        issued_at=stored.created_at,
        expires_at=stored.expires_at,
        grant_id=stored.grant_id,
        person_id=stored.person_id,
        authenticated_at=stored.authenticated_at,
        acr=stored.acr,
        confirmation=confirmation_of(stored.dpop_jkt, stored.cert_thumbprint),
        authorization_details=stored.authorization_details,
        is_refresh_token=stored.is_refresh_token,
    )


def confirmation_of(dpop_jkt: str | None, cert_thumbprint: str | None) -> Mapping[str, str] | None:
    """The `cnf` of a token bound to a key (RFC 9449 6.1) or a certificate (RFC 8705 3.1), None of one that is not."""
    members = {"jkt": dpop_jkt, "x5t#S256": cert_thumbprint}
    return {name: value for name, value in members.items() if value} or None


def _by_value(token: str) -> ActiveToken | None:
    claims = verified_access_token(token, clock.now()) if len(token) <= MAX_SIGNED_CHARACTERS else None
    if claims is None:
        return None
    grant_id = UUID(claims["grant_id"]) if "grant_id" in claims else None
    if is_revoked(claims["jti"], grant_id) or known_client(claims["client_id"]) is None:
        return None
    return ActiveToken(
        client_id=claims["client_id"],
        subject=claims["sub"],
        scopes=frozenset(claims["scope"].split()),
        audience=audience_of(claims),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        token_id=claims["jti"],
        grant_id=grant_id,
        authenticated_at=datetime.fromtimestamp(claims["auth_time"], UTC) if "auth_time" in claims else None,
        acr=claims.get("acr"),
        confirmation=claims.get("cnf"),
        act=claims.get("act"),
        authorization_details=claims.get("authorization_details", ()),
        service_binding={name: claims[name] for name in BINDING_CLAIMS if claims.get(name) is not None},
    )


def audience_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """RFC 7519 4.1.3: one audience may be a string by itself."""
    audience = claims["aud"]
    return (audience,) if isinstance(audience, str) else tuple(audience)
