"""Reads of applications that developers offer to agencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select

from identity.clients.client_reviews.rules import fingerprint
from identity.clients.ownership_transfers.models import OwnershipTransfer
from identity.clients.ownership_transfers.rules import Status
from identity.clients.registry.queries import name_of, registration_of, with_client
from kernel.base.errors import NotFound
from kernel.database.db import session
from kernel.recording.pending import pending_columns

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class Offer:
    """An application, and how it was offered to an agency."""

    client: Client
    request: OwnershipTransfer

    @property
    def fingerprint(self) -> str:
        """The fingerprint of what the agency looks at."""
        return fingerprint(self.request.id, self.client.environment, registration_of(self.client))


def offers(*, is_active: bool = False) -> Select[OwnershipTransfer, Client]:
    """Every offer with its application."""
    return with_client(select(OwnershipTransfer), OwnershipTransfer.client_id, is_active=is_active)


def pending() -> Select[OwnershipTransfer, Client]:
    """Offers that wait for an answer, each with its active application."""
    return offers(is_active=True).where(OwnershipTransfer.status == Status.WAITING)


def pending_at(agency_code: str) -> list[Offer]:
    """List offers that wait for an agency's answer, the oldest first."""
    query = (
        pending().where(OwnershipTransfer.agency_code == agency_code).order_by(OwnershipTransfer.asked_at).limit(200)
    )
    return [Offer(client, request) for request, client in session().execute(query)]


def offers_to_answer(agency_code: str) -> Select[Any]:
    """Offers that wait for an agency's answer, for the list of pending decisions."""
    name, href = name_of(OwnershipTransfer.client_id), "/agency/adoptions/" + OwnershipTransfer.client_id
    columns = pending_columns(OwnershipTransfer.id, name, OwnershipTransfer.asked_at, href, OwnershipTransfer.answer_by)
    waiting = (OwnershipTransfer.agency_code == agency_code, OwnershipTransfer.status == Status.WAITING)
    return select(*columns).where(*waiting, name.is_not(None))


def offer_to(agency_code: str, client_id: str) -> Offer:
    """One of them. Raises NotFound, also for what another agency was asked."""
    query = pending().where(
        OwnershipTransfer.agency_code == agency_code, OwnershipTransfer.client_id == client_id.replace("\x00", "")
    )
    row = session().execute(query).one_or_none()
    if row is None:
        raise NotFound()
    return Offer(row[1], row[0])


def last_offer_of(client_id: str) -> OwnershipTransfer | None:
    """The last time that an application was offered, None if it never was."""
    query = select(OwnershipTransfer).where(OwnershipTransfer.client_id == client_id)
    return session().scalar(query.order_by(OwnershipTransfer.asked_at.desc()).limit(1))


def last_offer(client_id: str) -> Offer:
    """The last time that an application was offered, with the application."""
    query = offers().where(OwnershipTransfer.client_id == client_id).order_by(OwnershipTransfer.asked_at.desc())
    request, client = session().execute(query.limit(1)).one()
    return Offer(client, request)


def completed_by(developer: str) -> Sequence[Offer]:
    """List applications that agencies took over of a developer, the newest first."""
    query = (
        offers()
        .where(OwnershipTransfer.developer == developer, OwnershipTransfer.status == Status.ACCEPTED)
        .order_by(OwnershipTransfer.decided_at.desc())
        .limit(50)
    )
    return [Offer(client, request) for request, client in session().execute(query)]
