"""Identifiers and secrets: UUIDv7 inside, unguessable tokens outside, hashes at rest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A time-ordered identifier (RFC 9562 5.7)."""
    return uuid7()


def new_token(characters: int = 43) -> str:
    """An unguessable string of URL-safe characters; 43 carry 256 bits."""
    return secrets.token_urlsafe(characters)[:characters]


def token_hash(token: str) -> bytes:
    """The hash under which a high-entropy token is stored. Only for tokens that we made: people's passwords get
    argon2id.
    """
    return hashlib.sha256(token.encode()).digest()


def same(ours: str | bytes, theirs: str | bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(_bytes(ours), _bytes(theirs))


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
