"""Secrets that must come back: AES-256-GCM under the master key, bound to what they belong to."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class SealBroken(Exception):
    """The sealed bytes were changed, belong elsewhere, or another master key sealed them."""


def seal(master_key: bytes, plain: bytes, belongs_to: str) -> bytes:
    """Encrypt `plain`; it opens only with the same key and the same `belongs_to` (a row's identity)."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(master_key).encrypt(nonce, plain, belongs_to.encode())


def unseal(master_key: bytes, sealed: bytes, belongs_to: str) -> bytes:
    """The plain bytes. Raises SealBroken."""
    try:
        return AESGCM(master_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], belongs_to.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(belongs_to) from error
