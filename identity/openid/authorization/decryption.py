"""Decryption of what clients encrypt to us: our keys for it, and how they are used (RFC 7516, OIDC Core 10.2).

Nothing is kept: the key of each turn comes out of the master key, so that every node has it and it is replaced by
itself. What was encrypted to the key of the turn before can still be read.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from identity.clients.profiles.rules import AGREED_KEY_ENCRYPTIONS, CONTENT_ENCRYPTIONS
from identity.openid.tokens.proofs.signed import MAX_CHARACTERS, NotSound
from kernel.base import clock
from kernel.base.installation import settings

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DAY_SECONDS = 24 * 3600
FORBIDDEN = frozenset({"zip", "crit", "jku", "x5u", "jwk", "x5c"})
"""RFC 8725 3.6: nothing is decompressed; and no key comes with the message."""


def published_encryption_key() -> dict[str, Any]:
    """The public key of this turn, for the key set."""
    return _key_of(_turn(clock.now())).as_dict(private=False)


def decrypted(text: str) -> str:
    """Decrypt a text that a client encrypted to us. Raises NotSound."""
    if len(text) > 2 * MAX_CHARACTERS:
        raise NotSound("It is too long.")
    try:
        header = json.loads(base64.urlsafe_b64decode(text.partition(".")[0] + "=="))
    except (ValueError, RecursionError) as error:
        raise NotSound("It is not an encrypted JWT.") from error
    if not isinstance(header, dict) or FORBIDDEN & set(header):
        raise NotSound("It has a header that is not accepted.")
    if header.get("alg") not in AGREED_KEY_ENCRYPTIONS or header.get("enc") not in CONTENT_ENCRYPTIONS:
        raise NotSound("The alg or enc is none of those that discovery names.")
    algorithms, turn = [header["alg"], header["enc"]], _turn(clock.now())
    for key in (_key_of(turn), _key_of(turn - 1)):
        if header.get("kid") not in (None, key.kid):
            continue
        try:
            opened = jwe.decrypt_compact(text, key, algorithms=algorithms).plaintext
            return (opened or b"").decode("ascii")
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise NotSound("It was not encrypted to a key of ours.")


def _turn(now: datetime) -> int:
    return int(now.timestamp()) // (settings().key_rotation_days * DAY_SECONDS)


def _key_of(turn: int) -> ECKey:
    return _derived(settings().master_key, turn)


@lru_cache(maxsize=8)
def _derived(master_key: bytes, turn: int) -> ECKey:
    # FIPS 186-5 A.2.1: 64 bits more than the order has, so that the remainder is even.
    seed = HKDF(SHA256(), 40, salt=None, info=f"cordillera:openid:encryption:{turn}".encode()).derive(master_key)
    private = derive_private_key(int.from_bytes(seed) % (P256_ORDER - 1) + 1, SECP256R1())
    key = ECKey.import_key(private)
    return ECKey.import_key({**key.as_dict(private=True), "use": "enc", "kid": key.thumbprint()})
