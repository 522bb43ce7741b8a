"""Where a person has been sent on the way, told to ourselves from one page to the next.

A request that leads to the sign-in page comes back to /authorize with a mark of ours: what for and when. The mark is
authentic and good for this very request only, so neither the application nor the person can make one up.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from identity.openid.rules import SIGN_IN_DETOUR
from kernel.http import settings
from kernel.ids import same

PARAMETER = "detour"


class Kind(StrEnum):
    """What the person was sent to do."""

    SIGN_IN = "sign-in"
    CHOOSE = "choose"
    CONSENT = "consent"


@dataclass(frozen=True)
class Detour:
    """What this person was sent to do for this request, and when."""

    kind: Kind
    at: datetime


def mark(kind: Kind, request: str, sid: str, now: datetime) -> str:
    """The mark to send along. request: its query as the application sent it. sid: the session that it is bound to."""
    seconds = int(now.timestamp())
    return f"{kind}.{seconds}.{_seal(kind, seconds, request, sid)}"


def read(value: str, request: str, sid: str, now: datetime) -> Detour | None:
    """The detour that the mark tells of; None for one that is not ours, of another request or session, or too old."""
    kind, _dot, rest = value[:200].partition(".")
    seconds, _dot, seal = rest.partition(".")
    if kind not in tuple(Kind) or not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        return None
    at = datetime.fromtimestamp(int(seconds), UTC)
    # Whoever signs in gets a new session on the way, so that mark is bound to none.
    expected = _seal(Kind(kind), int(seconds), request, "" if kind == Kind.SIGN_IN else sid)
    if not same(expected, seal) or now - at > SIGN_IN_DETOUR:
        return None
    return Detour(Kind(kind), at)


def _seal(kind: Kind, seconds: int, request: str, sid: str) -> str:
    message = f"{kind}\x00{seconds}\x00{sid}\x00{request}".encode()
    return hmac.new(_key(settings().master_key), message, hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:detour").derive(master_key)
