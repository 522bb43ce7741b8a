"""Answers that only the client can read: a signed token, encrypted to a key that the client registered (RFC 7516)."""

from __future__ import annotations

from joserfc import jwe

from identity.clients.client_keys.queries import PublicKey, keys_of
from identity.clients.registry.rules import RegisteredClient
from identity.openid.rules import UnauthorizedClient

USUAL_CONTENT_ENCRYPTION = "A128CBC-HS256"
"""OIDC Registration 2: where the client registered an algorithm and no content encryption."""


def encrypted_for(client: RegisteredClient, signed: str, answer: str) -> str:
    """The signed token, encrypted where the client registered so for this answer.

    answer: one of `profiles.rules.ANSWERS`. Raises UnauthorizedClient where the client has no fitting key:
    what was to be secret is never sent open instead.
    """
    algorithm: str | None = client.options.get(f"{answer}_encrypted_response_alg")
    if algorithm is None:
        return signed
    encryption: str = client.options.get(f"{answer}_encrypted_response_enc", USUAL_CONTENT_ENCRYPTION)
    key = _key_for(client, algorithm)
    # OIDC Core 10.2: sign, then encrypt; cty tells that what is inside is a token.
    header = {"alg": algorithm, "enc": encryption, "cty": "JWT", **({"kid": key.kid} if key.kid else {})}
    return jwe.encrypt_compact(header, signed.encode(), key, algorithms=[algorithm, encryption])


def look_for_key(client: RegisteredClient, answer: str) -> None:
    """Before anything is used up, or a transaction waits: read the client's key for this answer, if it has to have one.

    Raises UnauthorizedClient.
    """
    algorithm: str | None = client.options.get(f"{answer}_encrypted_response_alg")
    if algorithm is not None:
        _key_for(client, algorithm)


def _key_for(client: RegisteredClient, algorithm: str) -> PublicKey:
    kinds = ("RSA",) if algorithm.startswith("RSA") else ("EC", "OKP")
    # An Ed25519 key only signs.
    fitting = [key for key in keys_of(client, None, use="enc") if key.key_type in kinds and key.get("crv") != "Ed25519"]
    if not fitting:
        raise UnauthorizedClient("The client registered encryption but no key that fits it.")
    return fitting[0]
