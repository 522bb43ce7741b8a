"""Reads of who may call whom on behalf of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, Select, Text, cast, exists, or_, select

from identity.clients.registry.queries import (
    applications_of,
    clients_with_owners,
    ids_of_owner,
    name_of,
    systems_of,
)
from identity.clients.token_exchange_policies.models import ExchangePolicy
from identity.clients.token_exchange_policies.rules import Side, Status, Transition
from kernel.base.errors import NotYours
from kernel.base.parties import Party
from kernel.database.db import Column, session
from kernel.database.pagination import Page, page
from kernel.recording.pending import pending_columns

if TYPE_CHECKING:
    from identity.agencies.models import Agency
    from identity.clients.registry.models import Client

MOST = 200


@dataclass(frozen=True)
class PolicyView:
    """A policy with the clients and agencies that it is about; an agency is None where no agency owns the client."""

    policy: ExchangePolicy
    actor: Client
    actor_agency: Agency | None
    target: Client
    target_agency: Agency | None

    @property
    def status(self) -> Status:
        return Status(self.policy.status)

    def sides_of(self, owner: Party) -> frozenset[Side]:
        """Return the sides that the owner is on: one, both or none."""
        clients = {Side.ACTOR: self.actor, Side.TARGET: self.target}
        return frozenset(side for side, client in clients.items() if client.owner == owner)

    def transitions_for(self, owner: Party) -> list[Transition]:
        return self.policy.LIFECYCLE.possible(self.status, *self.sides_of(owner))


def _told(condition: ColumnElement[bool]) -> Sequence[PolicyView]:
    """List what waits first, then the newest."""
    query = select(ExchangePolicy).where(condition)
    query = query.order_by(ExchangePolicy.status != Status.ASKED, ExchangePolicy.created_at.desc()).limit(MOST)
    policies = session().scalars(query).all()
    clients = clients_with_owners(
        {client_id for policy in policies for client_id in (policy.actor_client_id, policy.target_client_id)}
    )
    return [
        PolicyView(policy, *clients[policy.actor_client_id], *clients[policy.target_client_id])
        for policy in policies
        if policy.actor_client_id in clients and policy.target_client_id in clients
    ]


def is_in_a_policy(client_id: Column[str]) -> Exists:
    """Whether a query's client calls another on behalf of people, is called, or asked to."""
    concerned = or_(ExchangePolicy.actor_client_id == client_id, ExchangePolicy.target_client_id == client_id)
    return exists().where(concerned)


def of_owner(owner: Party) -> Sequence[PolicyView]:
    """All that concerns an owner's clients: what waits first, then the newest."""
    own = ids_of_owner(owner)
    return _told(or_(ExchangePolicy.actor_client_id.in_(own), ExchangePolicy.target_client_id.in_(own)))


def requests_to(agency_code: str) -> Select[Any]:
    """Requests to call an agency's clients, for the list of pending decisions."""
    title = name_of(ExchangePolicy.actor_client_id) + " → " + name_of(ExchangePolicy.target_client_id)
    href = "/agency/exchanges/" + cast(ExchangePolicy.id, Text)
    own = ids_of_owner(Party.agency(agency_code))
    columns = pending_columns(ExchangePolicy.id, title, ExchangePolicy.created_at, href)
    waiting = (ExchangePolicy.status == Status.ASKED, ExchangePolicy.target_client_id.in_(own))
    return select(*columns).where(*waiting, title.is_not(None))


def find(policy_id: UUID, owner: Party) -> PolicyView:
    """One that concerns the owner. Raises NotYours for any other, and for one that is not."""
    for view in _told(ExchangePolicy.id == policy_id):
        if view.sides_of(owner):
            return view
    raise NotYours(log=f"{owner} asked for exchange policy {policy_id}")


def everyones(cursor: str | None = None) -> Page[PolicyView]:
    """All of them, the newest first, for the authority."""
    rows = page(session(), select(ExchangePolicy), [ExchangePolicy.created_at, ExchangePolicy.id], cursor=cursor)
    views = {one.policy.id: one for one in _told(ExchangePolicy.id.in_([policy.id for policy in rows.items]))}
    return Page([views[policy.id] for policy in rows.items], rows.next)


def own_clients(owner: Party) -> Sequence[Client]:
    """The owner's living clients, which may call others."""
    return [client for client in (*applications_of(owner), *systems_of(owner)) if client.revoked_at is None]


def allowed_scopes(actor_id: str, target_id: str) -> frozenset[str] | None:
    """Return the scopes that one client has at the other on behalf of people, None if nothing was allowed."""
    scopes = session().scalar(
        select(ExchangePolicy.scopes).where(
            ExchangePolicy.actor_client_id == actor_id,
            ExchangePolicy.target_client_id == target_id,
            ExchangePolicy.status == Status.ALLOWED,
        )
    )
    return frozenset(scopes) if scopes is not None else None


def targets_of(actor_id: str) -> Sequence[str]:
    """Return the clients that this one may call on behalf of people."""
    query = select(ExchangePolicy.target_client_id).where(
        ExchangePolicy.actor_client_id == actor_id, ExchangePolicy.status == Status.ALLOWED
    )
    return session().scalars(query).all()
