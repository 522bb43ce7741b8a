"""Answers that only the client can read: a signed token, encrypted to a key that the client registered (RFC 7516)."""

from __future__ import annotations

from joserfc import jwe
from joserfc.jwk import Key

from identity.client_keys.queries import keys_of
from identity.clients.rules import RegisteredClient
from identity.openid.rules import UnauthorizedClient

KINDS_OF_KEY = {"ECDH-ES+A256KW": ("EC", "OKP"), "RSA-OAEP-256": ("RSA",)}
ENCRYPTION_ALGORITHMS = tuple(KINDS_OF_KEY)
CONTENT_ENCRYPTIONS = ("A256GCM",)


def encrypted_for(client: RegisteredClient, signed: str, answer: str) -> str:
    """The signed token, encrypted where the client registered so for this answer.

    answer: `id_token`, `userinfo` or `introspection`. Raises UnauthorizedClient where the client has no fitting key:
    what was to be secret is never sent open instead.
    """
    algorithm = client.options.get(f"{answer}_encrypted_response_alg")
    if algorithm is None:
        return signed
    encryption = client.options.get(f"{answer}_encrypted_response_enc", CONTENT_ENCRYPTIONS[0])
    if algorithm not in KINDS_OF_KEY or encryption not in CONTENT_ENCRYPTIONS:
        raise UnauthorizedClient("The client registered an encryption that is not offered.")
    key = _key_for(client, algorithm)
    # OIDC Core 10.2: sign, then encrypt; the inner token is named by cty.
    header = {"alg": algorithm, "enc": encryption, "cty": "JWT", **({"kid": key.kid} if key.kid else {})}
    return jwe.encrypt_compact(header, signed.encode(), key, algorithms=[algorithm, encryption])


def _key_for(client: RegisteredClient, algorithm: str) -> Key:
    fitting = [key for key in keys_of(client, None, use="enc") if key.key_type in KINDS_OF_KEY[algorithm]]
    if not fitting:
        raise UnauthorizedClient("The client registered encryption but no key that fits it.")
    return fitting[0]
