"""Audiences of access tokens, and the names of clients in them."""

from __future__ import annotations

from collections.abc import Iterable

from identity.clients.registry.rules import RegisteredClient

CLIENT_PREFIX = "urn:cordillera:client:"
SERVICE_PREFIX = "urn:cordillera:service:"
"""Before the code and the version of a service of the catalogue."""


def audience_named(client_id: str) -> str:
    """The resource that a client is when others call it (RFC 8707 2)."""
    return CLIENT_PREFIX + client_id


def named_clients(audience: Iterable[str]) -> set[str]:
    """The clients among those that a token is meant for."""
    return {name.removeprefix(CLIENT_PREFIX) for name in audience if name.startswith(CLIENT_PREFIX)}


def named_services(audience: Iterable[str]) -> set[str]:
    """The codes of the services of the catalogue among those that a token is meant for."""
    return {name.removeprefix(SERVICE_PREFIX).partition(":")[0] for name in audience if name.startswith(SERVICE_PREFIX)}


def names_of(client: RegisteredClient) -> set[str]:
    """Return the client's names where a token says whom it is meant for."""
    return {client.client_id, audience_named(client.client_id)}
