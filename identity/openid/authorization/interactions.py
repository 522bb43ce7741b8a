"""Interactions on which a person has been sent, told to ourselves from one page to the next.

A request that leads to the sign-in page comes back to /authorize with a mark of ours: what for and when. The mark is
authentic and good for this very request only, so neither the application nor the person can make one up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from identity.openid.rules import REQUEST_KEPT, SIGN_IN_DETOUR
from kernel.base.ids import same
from kernel.base.installation import settings

PARAMETER = "detour"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InteractionKind(StrEnum):
    """The kind of an interaction on which a person was sent."""

    SIGN_IN = "sign-in"
    CHOOSE = "choose"
    CONSENT = "consent"
    WITHOUT = "without"
    """To decide whether to go on without the second factor that the application would like."""


@dataclass(frozen=True)
class Detour:
    """An interaction of this person for this request, with its moment, and the one at which the request was first shown
    to us.
    """

    kind: InteractionKind
    at: datetime
    begun: datetime
    interaction: str
    """Names the one time that this request is put to people: the same on all the ways it is marked from then on."""


def mark(kind: InteractionKind, request: str, sid: str, begun: datetime, now: datetime) -> str:
    """The mark to send along. request: what the application sent, as text. sid: the session that it is bound to."""
    times = f"{_microseconds(begun)}.{_microseconds(now)}"
    return f"{kind}.{times}.{_seal(kind, times, request, sid)}"


def read(value: str, request: str, sid: str, now: datetime) -> Detour | None:
    """The detour that the mark tells of; None for one that is not ours, of another request or session, or too old."""
    match = re.fullmatch(r"([a-z-]{1,20})\.([0-9]{1,17})\.([0-9]{1,17})\.([0-9a-f]{64})", value)
    if match is None or match[1] not in tuple(InteractionKind):
        return None
    kind = InteractionKind(match[1])
    # Whoever signs in gets a new session on the way, so that mark is bound to none.
    expected = _seal(kind, f"{match[2]}.{match[3]}", request, "" if kind == InteractionKind.SIGN_IN else sid)
    if not same(expected, match[4]):
        return None
    begun, at = (EPOCH + timedelta(microseconds=int(count)) for count in (match[2], match[3]))
    if now - at > SIGN_IN_DETOUR or now - begun > REQUEST_KEPT:
        return None
    return Detour(kind, at, begun, hashlib.sha256(f"{match[2]}\x00{request}".encode()).hexdigest())


def code_for(interaction: str, person_id: UUID, characters: int) -> str:
    """The code with which an interaction with a person ends: always the same, and nobody can tell it without our key.

    A button that is pressed twice so leads to one code, of which only the hash is kept.
    """
    digest = hmac.digest(_code_key(settings().master_key), f"{interaction}\x00{person_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode()[:characters]


def _microseconds(instant: datetime) -> int:
    """As exact as sign-ins are kept: one of a moment before must not pass for one of a moment after."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _seal(kind: InteractionKind, times: str, request: str, sid: str) -> str:
    message = f"{kind}\x00{times}\x00{sid}\x00{request}".encode()
    return hmac.new(_key(settings().master_key), message, hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:detour").derive(master_key)


@lru_cache(maxsize=4)
def _code_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:code").derive(master_key)
