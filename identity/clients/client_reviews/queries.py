"""Reads of what applications ask the authority for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Select, select

from identity.clients.client_reviews.models import ApprovalRequest
from identity.clients.client_reviews.rules import Difference, differences, fingerprint, with_changes
from identity.clients.registry.models import Client
from identity.clients.registry.queries import registration_of
from identity.clients.registry.rules import Registration
from kernel.base.errors import NotFound
from kernel.database.db import session


@dataclass(frozen=True)
class Asked:
    """An application, and what its owner asks for it."""

    client: Client
    request: ApprovalRequest

    @property
    def proposed(self) -> Registration:
        """The registration that would be approved."""
        return with_changes(registration_of(self.client), self.request.changes)

    @property
    def differences(self) -> list[Difference]:
        """What would change of what is registered."""
        return differences(registration_of(self.client), self.proposed)

    @property
    def fingerprint(self) -> str:
        """What is looked at."""
        return fingerprint(self.request.id, self.request.environment, self.proposed)


def waiting_for_decision() -> list[Asked]:
    """What waits for the authority, the oldest first."""
    query = waiting().order_by(ApprovalRequest.asked_at).limit(200)
    return [_asked(row) for row in session().execute(query)]


def waiting_request(client_id: str) -> Asked:
    """The one application's. Raises NotFound where nothing waits."""
    found = find_waiting(client_id)
    if found is None:
        raise NotFound()
    return found


def find_waiting(client_id: str) -> Asked | None:
    """The same, None where nothing waits."""
    row = session().execute(waiting().where(Client.client_id == client_id.replace("\x00", ""))).one_or_none()
    return _asked(row) if row is not None else None


def waiting_of(client_ids: Collection[str]) -> dict[str, Asked]:
    """What waits for each of some applications, by its identifier."""
    rows = session().execute(waiting().where(Client.client_id.in_(client_ids)))
    return {row[0].client_id: _asked(row) for row in rows}


def waiting() -> Select[Client, ApprovalRequest]:
    """Living applications with what waits for each."""
    return (
        select(Client, ApprovalRequest)
        .join(ApprovalRequest, ApprovalRequest.client_id == Client.client_id)
        .where(ApprovalRequest.state == "waiting", Client.revoked_at.is_(None))
    )


def _asked(row: Row[Client, ApprovalRequest]) -> Asked:
    return Asked(row[0], row[1])


def requests_of(client_id: str) -> Sequence[ApprovalRequest]:
    """What was asked for an application and how it was decided, the newest first."""
    query = (
        select(ApprovalRequest)
        .where(ApprovalRequest.client_id == client_id)
        .order_by(ApprovalRequest.asked_at.desc())
        .limit(20)
    )
    return session().scalars(query).all()
