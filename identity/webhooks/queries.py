"""The parties for which somebody may look: an agency itself, and each of its applications."""

from __future__ import annotations

from sqlalchemy import CompoundSelect, Text, literal, select, union_all

from identity.clients.registry.queries import applications_of, ids_of_owner
from identity.clients.registry.rules import client_party
from kernel.base.parties import Party


def parties_of(owner: Party) -> CompoundSelect[tuple[str]]:
    """The owner of clients and each of its clients, as the parties that they are."""
    clients = ids_of_owner(owner).subquery()
    return union_all(
        select(literal(str(owner), Text)), select(literal(client_party(""), Text).concat(clients.c.client_id))
    )


def application_choices(owner: Party) -> list[tuple[str, str]]:
    """The owner's applications that were not revoked, as parties with their names."""
    return [(client_party(one.client_id), one.name) for one in applications_of(owner) if one.revoked_at is None]
