"""Reads of applications that developers offer to agencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select

from identity.clients.client_reviews.rules import fingerprint
from identity.clients.ownership_transfers.models import AdoptionRequest
from identity.clients.registry.models import Client
from identity.clients.registry.queries import registration_of
from kernel.base.errors import NotFound
from kernel.database.db import session


@dataclass(frozen=True)
class Offer:
    """An application, and how it was offered to an agency."""

    client: Client
    request: AdoptionRequest

    @property
    def fingerprint(self) -> str:
        """What is looked at."""
        return fingerprint(self.request.id, self.client.environment, registration_of(self.client))


def offers() -> Select[Client, AdoptionRequest]:
    """Applications with every offer of them."""
    return select(Client, AdoptionRequest).join(AdoptionRequest, AdoptionRequest.client_id == Client.client_id)


def waiting() -> Select[Client, AdoptionRequest]:
    """Living applications with the offer that waits for an answer."""
    return offers().where(AdoptionRequest.state == "waiting", Client.revoked_at.is_(None))


def waiting_at(agency_code: str) -> list[Offer]:
    """What waits for an agency's answer, the oldest first."""
    query = waiting().where(AdoptionRequest.agency_code == agency_code).order_by(AdoptionRequest.asked_at).limit(200)
    return [Offer(client, request) for client, request in session().execute(query)]


def offer_to(agency_code: str, client_id: str) -> Offer:
    """One of them. Raises NotFound, also for what another agency was asked."""
    query = waiting().where(
        AdoptionRequest.agency_code == agency_code, Client.client_id == client_id.replace("\x00", "")
    )
    row = session().execute(query).one_or_none()
    if row is None:
        raise NotFound()
    return Offer(row[0], row[1])


def last_offer_of(client_id: str) -> AdoptionRequest | None:
    """The last time that an application was offered, None if it never was."""
    query = select(AdoptionRequest).where(AdoptionRequest.client_id == client_id)
    return session().scalar(query.order_by(AdoptionRequest.asked_at.desc()).limit(1))


def handed_over_by(developer: str) -> Sequence[Offer]:
    """What agencies took over of a developer, the newest first."""
    query = (
        offers()
        .where(AdoptionRequest.developer == developer, AdoptionRequest.state == "accepted")
        .order_by(AdoptionRequest.decided_at.desc())
        .limit(50)
    )
    return [Offer(client, request) for client, request in session().execute(query)]
