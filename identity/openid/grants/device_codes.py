"""The short code that a person copies from a device's screen (RFC 8628 6.1)."""

from __future__ import annotations

import hmac
import secrets
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 6.1: no vowels, so that no words come about, and nothing that looks like something else."""
CHARACTERS = 8
PAGE = "/device"
"""The page on which the code is typed."""


def new_user_code() -> str:
    """Eight letters, 34 bits: enough for minutes with throttled guesses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))


def format_user_code(code: str) -> str:
    """As the device shows it."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str | None:
    """The code in what a person typed, however they parted it; None for what cannot be one."""
    code = "".join(character for character in text[:100].upper() if character not in " -._\t")
    return code if len(code) == CHARACTERS and set(code) <= set(ALPHABET) else None


def user_code_hash(master_key: bytes, code: str) -> bytes:
    """The hash under which a code is stored. It is made with a key, because there are few enough codes to try
    them all against a plain hash.
    """
    return hmac.digest(_key(master_key), code.encode(), "sha256")


@lru_cache(maxsize=4)
def _key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:user-code").derive(master_key)
