"""The ends of clients' secrets and keys, and warnings for their owners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from identity.clients.client_keys.queries import end_of
from identity.clients.client_secrets.rules import active_secrets
from identity.clients.expiry.rules import warning_due
from kernel.base import clock

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class Warnings:
    """Warnings on the pages of a client, as long as they hold."""

    ends_at: datetime | None
    keys_failing_since: datetime | None

    def __bool__(self) -> bool:
        return self.ends_at is not None or self.keys_failing_since is not None


def ends_of(client: Client) -> list[datetime]:
    """Return the ends of the client's newest secret and of each of its keys, as far as they have one."""
    secrets = active_secrets(client.secrets, clock.now())[:1]
    ends = [one.ends_at for one in secrets] + [end_of(key) for key in (client.jwks or {}).get("keys", [])]
    return [end for end in (*ends, client.keys_end_at) if end is not None]


def warnings_of(client: Client) -> Warnings:
    """Return warnings of what ends soon, and of keys that cannot be fetched; none for a revoked client."""
    if client.revoked_at is not None:
        return Warnings(None, None)
    due = warning_due(ends_of(client), None, clock.now())
    return Warnings(due[0] if due else None, client.keys_failing_since)
