"""Revoked signed tokens, remembered by this process: a token that carries its own proof costs no read.

Whatever was revoked within a token's life is kept in memory and completed at most once a second; a revocation made by
this very process counts at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from identity.openid.rules import ACCESS_TOKEN_LIFETIME
from identity.openid.tokens.token_queries import revoked_since
from kernel.base import clock
from kernel.base.slots import Slot

COMPLETED_EVERY_SECONDS = 1.0
READ_ANEW_EVERY_SECONDS = 600.0
LATE_COMMITS = timedelta(minutes=1)
"""A transaction notes its time before it commits: each reading goes back this far behind the newest one seen."""


@dataclass
class Remembered:
    """Revocations that this process knows: identifiers of tokens and of the sign-ins that gave them."""

    identifiers: set[str] = field(default_factory=set)
    newest: datetime | None = None
    completed_at: float = float("-inf")
    read_anew_at: float = float("-inf")


REVOKED: Slot[Remembered] = Slot("revoked", Remembered)


def is_revoked(token_id: str, grant_id: UUID | None) -> bool:
    """Whether the token itself, or the sign-in that it comes from, was revoked."""
    remembered = REVOKED()
    if time.monotonic() - remembered.completed_at > COMPLETED_EVERY_SECONDS:
        _complete(remembered)
    return token_id in remembered.identifiers or (grant_id is not None and str(grant_id) in remembered.identifiers)


def read_again() -> None:
    """Something has just been revoked here."""
    REVOKED().completed_at = float("-inf")


def _complete(remembered: Remembered) -> None:
    started, now = time.monotonic(), clock.now()
    if remembered.newest is None or started - remembered.read_anew_at > READ_ANEW_EVERY_SECONDS:
        revocations = revoked_since(now - ACCESS_TOKEN_LIFETIME - LATE_COMMITS)
        remembered.identifiers = {identifier for identifier, _ in revocations}
        remembered.read_anew_at = started
        remembered.newest = now
    else:
        revocations = revoked_since(remembered.newest - LATE_COMMITS)
        remembered.identifiers |= {identifier for identifier, _ in revocations}
    remembered.newest = max([remembered.newest, *(at for _, at in revocations)])
    remembered.completed_at = started
