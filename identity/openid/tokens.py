"""Signed tokens: how they are made, and how those that come back are verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, KeySet

from identity.clients.rules import RegisteredClient
from identity.openid.rules import (
    ID_TOKEN_LIVES,
    MACHINE_TOKEN_LIVES,
    PROFILES,
    left_half_hash,
    pairwise_subject,
)
from kernel.http import settings
from kernel.ids import new_token
from kernel.keys import signing_key, verification_keys

if TYPE_CHECKING:
    from identity.openid.models import AuthorizationCode

PURPOSE = "openid"
ACCESS_TOKEN_TYPE = "at+jwt"
ID_TOKEN_ALGORITHMS = ("ES256", "RS256", "EdDSA")
ACCESS_TOKEN_ALGORITHM = "ES256"
INTROSPECTION_ALGORITHM = "RS256"
"""RFC 9701 6: the default of introspection_signed_response_alg."""


def subject_for(client: RegisteredClient, person_id: object) -> str:
    """The person's `sub` for this client's sector."""
    return pairwise_subject(_subject_key(settings().master_key), client.sector, str(person_id))


@lru_cache(maxsize=4)
def _subject_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:pairwise-subject").derive(master_key)


def service_audience(binding: Mapping[str, str]) -> str:
    """Whom a system's token is meant for: the service that it is bound to, or this platform (RFC 9068 2.2)."""
    if "service" in binding and "version" in binding:
        return f"urn:cordillera:service:{binding['service']}:{binding['version']}"
    return settings().base_url


def machine_access_token(client: RegisteredClient, scopes: frozenset[str], now: datetime) -> str:
    """RFC 9068: an access token that whoever receives it verifies by itself."""
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": settings().issuer,
        "sub": client.client_id,
        "client_id": client.client_id,
        "aud": service_audience(client.binding),
        "scope": " ".join(sorted(scopes)),
        "agency": client.agency_code,
        **client.binding,
        "jti": new_token(22),
        "iat": issued_at,
        "exp": issued_at + int(MACHINE_TOKEN_LIVES.total_seconds()),
    }
    return _signed(claims, ACCESS_TOKEN_ALGORITHM, ACCESS_TOKEN_TYPE)


def id_token(client: RegisteredClient, code: AuthorizationCode, access_token: str, now: datetime) -> str:
    """OIDC Core 2. What the person shares is told at userinfo, not here."""
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": settings().issuer,
        "sub": subject_for(client, code.person_id),
        "aud": client.client_id,
        "exp": issued_at + int(ID_TOKEN_LIVES.total_seconds()),
        "iat": issued_at,
        "auth_time": int(code.authenticated_at.timestamp()),
        "acr": code.acr,
        "amr": code.amr,
        "sid": code.sid,
        "at_hash": left_half_hash(access_token),
    }
    if code.nonce is not None:
        claims["nonce"] = code.nonce
    return _signed(claims, PROFILES[client.profile].id_token_algorithm, "JWT")


def signed_introspection(client_id: str, says: Mapping[str, Any], algorithm: str, now: datetime) -> str:
    """RFC 9701 5: what a token says, signed for the client that asked."""
    claims = {
        "iss": settings().issuer,
        "aud": client_id,
        "iat": int(now.timestamp()),
        "token_introspection": dict(says),
    }
    return _signed(claims, algorithm, "token-introspection+jwt")


def _signed(claims: dict[str, Any], algorithm: str, kind: str) -> str:
    key = signing_key(PURPOSE, algorithm)
    return jwt.encode({"alg": algorithm, "kid": key.kid, "typ": kind}, claims, key, algorithms=[algorithm])


def verified_access_token(token: str, now: datetime) -> Mapping[str, Any] | None:
    """The claims of a system's access token that we signed and that lives; None for any other."""
    claims = _verified(token, [ACCESS_TOKEN_ALGORITHM], ACCESS_TOKEN_TYPE)
    if claims is None or not isinstance(claims.get("exp"), int) or claims["exp"] <= now.timestamp():
        return None
    return claims


def verified_id_token(token: str) -> Mapping[str, Any] | None:
    """The claims of an ID token that we signed, however old (OIDC RP-Initiated Logout 2); None for any other."""
    return _verified(token, list(ID_TOKEN_ALGORITHMS), "JWT")


def _key_named_by(token: GuestProtocol) -> KeySet:
    return verification_keys(PURPOSE, token.headers().get("kid"))


def _verified(token: str, algorithms: list[str], kind: str) -> Mapping[str, Any] | None:
    # RFC 8725 3.1 and 3.11: the algorithms are ours to name, and one kind of token never passes for another.
    try:
        found = jwt.decode(token, _key_named_by, algorithms=algorithms)
    except (JoseError, ValueError):
        return None
    is_ours = found.header.get("typ") == kind and found.claims.get("iss") == settings().issuer
    return found.claims if is_ours else None
