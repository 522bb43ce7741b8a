"""GET /openid/jwks (RFC 7517 5): the public keys that our tokens are verified with, and the one to encrypt to us."""

from __future__ import annotations

from identity.openid.authorization.decryption import published_encryption_key
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.cross_origin import open_to_every_page
from identity.openid.tokens.tokens import PURPOSE
from kernel.http.incoming import Answer, Incoming
from kernel.jobs.access import public
from kernel.keys.signatures import ALGORITHMS, ensure_key, public_jwks


@for_programs("/openid/jwks", "GET", "OPTIONS")
@open_to_every_page("GET")
@public("public keys are for everyone")
def jwks(_: Incoming) -> Answer:
    """The keys of every algorithm; the first call of a new installation makes them."""
    for algorithm in ALGORITHMS:
        ensure_key(PURPOSE, algorithm)
    keys = {"keys": [*public_jwks(PURPOSE)["keys"], published_encryption_key()]}
    return Answer.of_json(
        keys, headers=(("Cache-Control", "public, max-age=300"),), media_type="application/jwk-set+json"
    )
