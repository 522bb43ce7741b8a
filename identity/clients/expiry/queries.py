"""When what a client proves itself with ends, and what its owner should know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from identity.clients.client_keys.queries import end_of
from identity.clients.client_secrets.rules import living_secrets
from identity.clients.expiry.rules import warning_due
from identity.clients.registry.models import Client
from kernel.base import clock


@dataclass(frozen=True)
class Warnings:
    """What shows on the pages of a client, as long as it is so."""

    ends_at: datetime | None
    keys_failing_since: datetime | None

    def __bool__(self) -> bool:
        return self.ends_at is not None or self.keys_failing_since is not None


def ends_of(client: Client) -> list[datetime]:
    """When its newest secret and each of its keys end, as far as they do."""
    secrets = living_secrets(client.secrets, clock.now())[:1]
    ends = [one.ends_at for one in secrets] + [end_of(key) for key in (client.jwks or {}).get("keys", [])]
    return [end for end in (*ends, client.keys_end_at) if end is not None]


def warnings_of(client: Client) -> Warnings:
    """What ends soon, and keys that cannot be fetched; nothing of a revoked client."""
    if client.revoked_at is not None:
        return Warnings(None, None)
    due = warning_due(ends_of(client), None, clock.now())
    return Warnings(due[0] if due else None, client.keys_failing_since)
