"""GET /openid/jwks (RFC 7517 5): the public keys that our tokens are verified with, and the one to encrypt to us."""

from __future__ import annotations

from flask import Response, jsonify

from identity.openid.cross_origin import open_to_every_page
from identity.openid.decryption import published_encryption_key
from identity.openid.endpoints import for_programs
from identity.openid.tokens import PURPOSE
from kernel.jobs.access import public
from kernel.keys.signatures import ALGORITHMS, ensure_key, public_jwks


@for_programs("/openid/jwks", "GET", "OPTIONS")
@open_to_every_page("GET")
@public("public keys are for everyone")
def jwks() -> Response:
    """The keys of every algorithm; the first call of a new installation makes them."""
    for algorithm in ALGORITHMS:
        ensure_key(PURPOSE, algorithm)
    answer = jsonify(keys=[*public_jwks(PURPOSE)["keys"], published_encryption_key()])
    answer.content_type = "application/jwk-set+json"
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
