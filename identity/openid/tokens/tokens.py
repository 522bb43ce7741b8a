"""Signed tokens: how they are made, and how those that come back are verified."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, KeySet

from identity.clients.profiles.rules import OUR_ALGORITHMS, algorithm_of
from identity.clients.registry.rules import RegisteredClient
from identity.openid.issuer import issuer
from identity.openid.rules import (
    ID_TOKEN_LIFETIME,
    IN_ID_TOKEN,
    MACHINE_TOKEN_LIFETIME,
    PROFILES,
    TOLD_IN_ID_TOKEN,
    left_half_hash,
    pairwise_subject,
    person_claims,
)
from identity.openid.tokens.audiences import SERVICE_PREFIX
from identity.openid.tokens.consents import has_consented
from identity.openid.tokens.encryption import encrypted_for
from identity.openid.tokens.requested_claims import scopes_covering, told_by_name
from kernel.base.ids import new_token
from kernel.base.installation import settings
from kernel.keys.signatures import jws, verification_keys

if TYPE_CHECKING:
    from identity.people.models import Person
    from identity.people.rules import KnownPerson

PURPOSE = "openid"
ACCESS_TOKEN_TYPE = "at+jwt"
ED25519 = ("Ed25519", "EdDSA")
"""RFC 9864: the name of today, and the one that most clients know; it is the same key."""
"""The scopes of what a client may have in its ID tokens: never the RUN, since ID tokens travel in addresses too."""
ONLY_IN_ID_TOKENS = frozenset({"sub", "exp", "auth_time", "sid"})
BACKCHANNEL_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_LIFETIME = timedelta(minutes=2)
ACCESS_TOKEN_ALGORITHM = "ES256"
SIGNED_RESPONSE_LIFETIME = timedelta(minutes=5)
"""JARM 2.1: at most ten minutes."""


def subject_for(client: RegisteredClient, person_id: object) -> str:
    """The person's `sub` for this client's sector."""
    return pairwise_subject(_subject_key(settings().master_key), client.sector, str(person_id))


@lru_cache(maxsize=4)
def _subject_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:pairwise-subject").derive(master_key)


def service_audience(service_binding: Mapping[str, str]) -> str:
    """Return the audience of a system's token: the service that it is bound to, or this platform (RFC 9068 2.2)."""
    if "service" in service_binding and "version" in service_binding:
        return f"{SERVICE_PREFIX}{service_binding['service']}:{service_binding['version']}"
    return settings().base_url


def machine_access_token(
    client: RegisteredClient,
    scopes: frozenset[str],
    now: datetime,
    *,
    token_id: str,
    audience: tuple[str, ...],
    confirmation: Mapping[str, Any] | None = None,
) -> str:
    """RFC 9068: an access token that whoever receives it verifies by itself."""
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": issuer(),
        "sub": client.client_id,
        "client_id": client.client_id,
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "scope": " ".join(sorted(scopes)),
        "agency": client.agency_code,
        **client.service_binding,
        "jti": token_id,
        "iat": issued_at,
        "exp": issued_at + int(MACHINE_TOKEN_LIFETIME.total_seconds()),
    }
    if confirmation:
        claims["cnf"] = confirmation
    return _signed(claims, ACCESS_TOKEN_ALGORITHM, ACCESS_TOKEN_TYPE)


def audience_or_default(resources: Iterable[str]) -> tuple[str, ...]:
    """RFC 9068 3: without a resource the audience is one by default, here the provider with its userinfo."""
    return tuple(resources) or (issuer(),)


@dataclass(frozen=True)
class GrantView:
    """A grant as tokens are made of it: one sign-in of one person to one application, narrowed to what is wanted this
    time.
    """

    id: UUID
    person_id: UUID
    scopes: frozenset[str]
    audience: tuple[str, ...]
    sid: str
    authenticated_at: datetime
    acr: str
    amr: tuple[str, ...]
    claims: Mapping[str, list[str]]
    authorization_details: tuple[dict[str, Any], ...] = ()
    nonce: str | None = None


def person_access_token(
    client: RegisteredClient,
    grant: GrantView,
    now: datetime,
    expires_at: datetime,
    *,
    subject: str | None = None,
    confirmation: Mapping[str, Any] | None = None,
    act: Mapping[str, Any] | None = None,
) -> str:
    """RFC 9068 2.2: an access token that speaks of a person, to be verified without asking us.

    subject: the person's `sub` where the token is for another sector than the client's. act: RFC 8693 4.1.
    """
    claims: dict[str, Any] = {
        "iss": issuer(),
        "sub": subject or subject_for(client, grant.person_id),
        "client_id": client.client_id,
        "aud": grant.audience[0] if len(grant.audience) == 1 else list(grant.audience),
        "scope": " ".join(sorted(grant.scopes)),
        "auth_time": int(grant.authenticated_at.timestamp()),
        "acr": grant.acr,
        "amr": list(grant.amr),
        "jti": new_token(22),
        "grant_id": str(grant.id),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    optional = {"cnf": confirmation, "act": act, "authorization_details": list(grant.authorization_details)}
    claims |= {name: value for name, value in optional.items() if value}
    return _signed(claims, ACCESS_TOKEN_ALGORITHM, ACCESS_TOKEN_TYPE)


def id_token(
    client: RegisteredClient, grant: GrantView, access_token: str, now: datetime, person: Person | None = None
) -> str:
    """OIDC Core 2. What the person shares is told at userinfo, and here only what the claims parameter asks for, and
    names and e-mail where the client chose so (OIDC Core 5.4 leaves both to us).

    person: needed where something of them is told here (`tells_of_person`).
    """
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = _told_in_id_token(client, grant, person) if person else {}
    claims |= {
        "iss": issuer(),
        "sub": subject_for(client, grant.person_id),
        "aud": client.client_id,
        "exp": issued_at + int(ID_TOKEN_LIFETIME.total_seconds()),
        "iat": issued_at,
        "auth_time": int(grant.authenticated_at.timestamp()),
        "acr": grant.acr,
        "amr": list(grant.amr),
        "sid": grant.sid,
    }
    algorithm = id_token_algorithm(client)
    claims["at_hash"] = half_hash(access_token, algorithm)
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    return encrypted_for(client, _signed(claims, algorithm, "JWT"), "id_token")


def tells_of_person(client: RegisteredClient, grant: GrantView) -> bool:
    """Whether the ID token tells more of the person than who they are."""
    return bool(grant.claims.get("id_token") or (client.has_claims_in_id_token and grant.scopes & IN_ID_TOKEN))


def _told_in_id_token(client: RegisteredClient, grant: GrantView, person: Person) -> dict[str, Any]:
    scopes = grant.scopes & IN_ID_TOKEN if client.has_claims_in_id_token else frozenset()
    # What was granted before the application chose so goes on as it was agreed to.
    agreed = scopes and has_consented(grant.person_id, client.client_id, [TOLD_IN_ID_TOKEN])
    chosen = claims_about(client, scopes, person) if agreed else {}
    return chosen | told_here(client, grant.claims, "id_token", person)


def told_here(
    client: RegisteredClient, claims: Mapping[str, list[str]], place: str, person: Person | KnownPerson
) -> dict[str, Any]:
    """Return the claims that the claims parameter asks for in this place (OIDC Core 5.5)."""
    return told_by_name(claims, place, claims_about(client, scopes_covering(claims, client.scopes), person))


def claims_about(client: RegisteredClient, scopes: Iterable[str], person: Person | KnownPerson) -> dict[str, Any]:
    """Return the claims that the scopes give, in the shape of the client's profile."""
    run = (person.run_number, person.run_dv)
    return person_claims(client.profile, scopes, run, (person.given_names, person.family_names), person.email)


def id_token_algorithm(client: RegisteredClient) -> str:
    """The algorithm that the client registered, or the profile's."""
    return algorithm_of(client.profile, client.options)


def half_hash(value: str, algorithm: str) -> str:
    """OIDC Core 3.1.3.6, `at_hash`: EdDSA on Ed25519 hashes with SHA-512, the others here with SHA-256."""
    if algorithm not in ED25519:
        return left_half_hash(value)
    digest = hashlib.sha512(value.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:32]).rstrip(b"=").decode()


def signed_userinfo(client: RegisteredClient, claims: Mapping[str, Any], algorithm: str) -> str:
    """OIDC Core 5.3.2: the answer of userinfo as a token of its own."""
    return _signed({**claims, "iss": issuer(), "aud": client.client_id}, algorithm, "JWT")


def logout_token(client: RegisteredClient, subject: str, sid: str, jti: str, now: datetime) -> str:
    """OIDC Back-Channel Logout 2.4: that this session of this person has ended. It never has a nonce.

    jti: the same however often this end is told.
    """
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer(),
        "sub": subject,
        "aud": client.client_id,
        "iat": issued_at,
        "exp": issued_at + int(LOGOUT_TOKEN_LIFETIME.total_seconds()),
        "jti": jti,
        "sid": sid,
        "events": {BACKCHANNEL_LOGOUT_EVENT: {}},
    }
    return _signed(claims, id_token_algorithm(client), "logout+jwt")


def signed_introspection(client_id: str, says: Mapping[str, Any], algorithm: str, now: datetime) -> str:
    """RFC 9701 5: what a token says, signed for the client that asked."""
    claims = {
        "iss": issuer(),
        "aud": client_id,
        "iat": int(now.timestamp()),
        "token_introspection": dict(says),
    }
    return _signed(claims, algorithm, "token-introspection+jwt")


def signed_answer(client: RegisteredClient, answer: Mapping[str, str], now: datetime) -> str:
    """JARM 2.1: the answer to an authorization request, signed, and encrypted where the client registered a key."""
    claims: dict[str, Any] = {**answer, "iss": issuer(), "aud": client.client_id}
    claims["exp"] = int(now.timestamp()) + int(SIGNED_RESPONSE_LIFETIME.total_seconds())
    algorithm = client.options.get("authorization_signed_response_alg") or usual_algorithm(client)
    return encrypted_for(client, _signed(claims, algorithm, "JWT"), "authorization")


def usual_algorithm(client: RegisteredClient) -> str:
    """Return the algorithm for a client that chose none, of all that is no ID token: RS256 (RFC 9701 6, JARM 3), if it
    may.
    """
    profile = PROFILES.get(client.profile)
    return "RS256" if profile is None or "RS256" in profile.signing_algorithms else profile.id_token_algorithm


def _signed(claims: dict[str, Any], algorithm: str, kind: str) -> str:
    content = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    return jws(PURPOSE, {"typ": kind, "alg": algorithm}, content, "EdDSA" if algorithm in ED25519 else algorithm).text


def verified_access_token(token: str, now: datetime) -> Mapping[str, Any] | None:
    """The claims of a system's access token that we signed and that lives; None for any other."""
    claims = _verified(token, [ACCESS_TOKEN_ALGORITHM], ACCESS_TOKEN_TYPE)
    if claims is None or not isinstance(claims.get("exp"), int) or claims["exp"] <= now.timestamp():
        return None
    return claims


def verified_id_token(token: str) -> Mapping[str, Any] | None:
    """The claims of an ID token that we signed, however old (OIDC RP-Initiated Logout 2); None for any other."""
    claims = _verified(token, list(OUR_ALGORITHMS), "JWT")
    # RFC 8725 3.12: answers of userinfo and of /authorize have this typ too, but they tell of no sign-in.
    return claims if claims is not None and set(claims) >= ONLY_IN_ID_TOKENS else None


def _key_named_by(token: GuestProtocol) -> KeySet:
    return verification_keys(PURPOSE, token.headers().get("kid"))


def _verified(token: str, algorithms: list[str], kind: str) -> Mapping[str, Any] | None:
    # RFC 8725 3.1 and 3.11: the algorithms are ours to name, and one kind of token never passes for another.
    try:
        claims = jwt.decode(token, _key_named_by, algorithms=algorithms)
    except (JoseError, ValueError):
        return None
    is_ours = claims.header.get("typ") == kind and claims.claims.get("iss") == issuer()
    return claims.claims if is_ours else None
