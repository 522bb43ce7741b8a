"""Client secrets as they are stored: their hash, and when they end."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.base.errors import Conflict, _

SECRETS_AT_A_TIME = 2
PREVIOUS_SECRET_LIFETIME = timedelta(days=7)
"""After a rotation the secret before it still works this long, so that servers can be changed one by one."""
SECRET_LIFETIME = timedelta(days=730)
"""The lifetime of a secret outside the sandbox; its owners are told in time."""


class LastSecret(Conflict):
    kind = "client-last-secret"
    title = _("This is the only secret that works")
    explanation = _("Without it the application or system could not prove who it is.")
    remedy = _("Make a new secret first, or revoke the application or system.")


@dataclass(frozen=True)
class StoredSecret:
    """A stored secret: its SHA-256, when it ends if it does, and when it was made if that was noted."""

    sha256: str
    ends_at: datetime | None
    created_at: datetime | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, str | None]) -> StoredSecret:
        return cls(str(row["sha256"]), _moment(row.get("ends_at")), _moment(row.get("created_at")))

    def as_row(self) -> dict[str, str | None]:
        moments = {"ends_at": self.ends_at, "created_at": self.created_at}
        return {"sha256": self.sha256, **{name: at.isoformat() if at else None for name, at in moments.items()}}

    @property
    def code(self) -> str:
        """Its name for its owner: nothing can be guessed from a piece of the hash of a secret that we made."""
        return self.sha256[:16]

    def matches(self, digest: str, now: datetime) -> bool:
        return (self.ends_at is None or self.ends_at > now) and hmac.compare_digest(self.sha256, digest)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def active_secrets(rows: Iterable[Mapping[str, str | None]], now: datetime) -> list[StoredSecret]:
    """The secrets that still work, the newest first."""
    secrets = [StoredSecret.from_row(row) for row in rows]
    return [one for one in secrets if one.ends_at is None or one.ends_at > now]


def ended_by(secrets: Iterable[StoredSecret], end: datetime | None) -> list[StoredSecret]:
    """Return the secrets, none of them valid beyond `end`."""
    return [replace(one, ends_at=min(filter(None, (one.ends_at, end)), default=None)) for one in secrets]


def after_rotation(
    secrets: Iterable[StoredSecret], new: str, now: datetime, ends_at: datetime | None = None
) -> list[StoredSecret]:
    """The secrets that live once `new` is given out: it, and the newest one before it for a few more days."""
    living = [one for one in secrets if one.ends_at is None or one.ends_at > now]
    previous = ended_by(living, now + PREVIOUS_SECRET_LIFETIME)
    return [StoredSecret(sha256_of(new), ends_at, now), *previous][:SECRETS_AT_A_TIME]


def end_of_new_secret(environment: str, now: datetime) -> datetime | None:
    """Return the end of a secret made now; in the sandbox it has none."""
    return None if environment == "sandbox" else now + SECRET_LIFETIME


def sha256_of(secret: str) -> str:
    """The hash under which a secret is stored. Only for secrets that we made: they are too long to be guessed from
    it.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
