"""Reads of a developer's applications: clients of the identity block that this developer owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from identity.clients.registry import queries as clients
from kernel.base.errors import NotFound
from kernel.base.parties import Party

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


def applications_of(developer_id: str) -> Sequence[Client]:
    """The applications that were not deleted, the newest first."""
    return [client for client in clients.applications_of(Party.developer(developer_id)) if client.revoked_at is None]


def get_application(developer_id: str, client_id: str) -> Client:
    """The developer's application. Raises NotFound for a deleted one, NotYours (told alike) for another's."""
    client = clients.client_of(Party.developer(developer_id), client_id)
    if client.revoked_at is not None:
        raise NotFound()
    return client
