"""A JWT that a client signed, taken apart before anything in it is believed."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from identity.clients.client_keys.queries import PublicKey
from identity.clients.profiles.rules import SIGNING_ALGORITHMS

MAX_CHARACTERS = 16_000
AHEAD_SECONDS = 30
"""FAPI 2.0 5.3.2.1 (13): clocks differ; 10 seconds ahead must be accepted and more than 60 refused."""
MAX_JTI_CHARACTERS = 200
# RFC 7515 4.1: headers that name a key or a place to fetch one from, or change what the others mean.
FORBIDDEN = frozenset({"crit", "b64", "zip", "jku", "x5u"})


class NotSound(Exception):
    """A JWT is faulty; the message says how, in words that its sender may read."""


@dataclass(frozen=True)
class Opened:
    """A JWT as it came: nothing of it is proven."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def algorithm(self) -> str:
        return str(self.header.get("alg"))

    def is_signed_by(self, keys: Iterable[PublicKey]) -> bool:
        """Whether one of the keys made the signature, by the algorithm of the header, which `opened` has allowed."""
        registry = jws.JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        # The sizes were checked, and a proof has its key in the header.
        registry.max_header_length = MAX_CHARACTERS
        for key in keys:
            try:
                jws.deserialize_compact(self.text, key, algorithms=[self.algorithm], registry=registry)
            except (JoseError, ValueError, TypeError):
                continue
            return True
        return False

    def text_claim(self, name: str, longest: int) -> str:
        """A claim that must be there and be a text. Raises NotSound."""
        value = self.claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            raise NotSound(f"The {name} must be a text of 1 to {longest} characters.")
        return value

    def time_claim(self, name: str) -> float | None:
        """A NumericDate (RFC 7519 2), None where there is none. Raises NotSound."""
        value = self.claims.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise NotSound(f"The {name} must be a number of seconds.")
        if not 0 <= value < 2**40:
            raise NotSound(f"The {name} is out of range.")
        return float(value)

    def check_begun(self, now: datetime) -> None:
        """Raises NotSound where `iat` or `nbf` lie in the future by more than clocks differ."""
        for name in ("iat", "nbf"):
            begin = self.time_claim(name)
            if begin is not None and begin > now.timestamp() + AHEAD_SECONDS:
                raise NotSound(f"The {name} is in the future.")


def opened(text: str, *, allowed_algorithms: Iterable[str] = SIGNING_ALGORITHMS, own_key: bool = False) -> Opened:
    """Take a JWT apart. Raises NotSound for what is none, or has a header or algorithm that is not accepted.

    own_key: whether it has to bring its key in the header, which is refused otherwise.
    """
    if len(text) > MAX_CHARACTERS or not re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", text):
        raise NotSound("It is not a signed JWT.")
    header, claims = (_object(part) for part in text.split(".")[:2])
    if refused := sorted(({*FORBIDDEN} if own_key else {*FORBIDDEN, "jwk", "x5c"}) & set(header)):
        raise NotSound(f"The header {refused[0]} is not accepted.")
    allowed = tuple(allowed_algorithms)
    if header.get("alg") not in allowed:
        # FAPI 2.0 Security Profile 5.4.1 (1), to which every profile keeps here.
        raise NotSound(f"FAPI 2.0 5.4.1: the alg must be one of: {', '.join(allowed)}.")
    return Opened(text, header, claims)


def _object(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError) as error:
        raise NotSound("It is not a signed JWT.") from error
    if not isinstance(value, dict):
        raise NotSound("It is not a signed JWT.")
    return value
