"""Reads of what applications ask the authority for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Exists, Row, Select, exists, select

from identity.clients.client_reviews.models import ClientReview
from identity.clients.client_reviews.rules import Difference, Status, differences, fingerprint, with_changes
from identity.clients.registry.queries import name_of, registration_of, with_client
from identity.clients.registry.rules import Registration
from kernel.base.errors import NotFound
from kernel.database.db import Column, session
from kernel.recording.pending import pending_columns

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class PendingReview:
    """An application, and what its owner asks for it."""

    client: Client
    request: ClientReview

    @property
    def proposed(self) -> Registration:
        """The registration that would be approved."""
        return with_changes(registration_of(self.client), self.request.changes)

    @property
    def differences(self) -> list[Difference]:
        """The differences between what is proposed and what is registered."""
        return differences(registration_of(self.client), self.proposed)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of what the authority looks at."""
        return fingerprint(self.request.id, self.request.environment, self.proposed)


def pending_reviews() -> list[PendingReview]:
    """List reviews that wait for the authority, the oldest first."""
    query = pending().order_by(ClientReview.asked_at).limit(200)
    return [_asked(row) for row in session().execute(query)]


def get_pending(client_id: str) -> PendingReview:
    """The one application's. Raises NotFound where nothing waits."""
    pending = find_pending(client_id)
    if pending is None:
        raise NotFound()
    return pending


def find_pending(client_id: str) -> PendingReview | None:
    """Return the application's pending review, None where nothing waits."""
    row = session().execute(pending().where(ClientReview.client_id == client_id.replace("\x00", ""))).one_or_none()
    return _asked(row) if row is not None else None


def pending_by_client(client_ids: Collection[str]) -> dict[str, PendingReview]:
    """Return the pending reviews of some applications, by their identifiers."""
    rows = session().execute(pending().where(ClientReview.client_id.in_(client_ids)))
    return {row[0].client_id: _asked(row) for row in rows}


def pending() -> Select[ClientReview, Client]:
    """Pending reviews, each with its active application."""
    reviews = with_client(select(ClientReview), ClientReview.client_id, is_active=True)
    return reviews.where(ClientReview.status == Status.WAITING)


def reviews_to_decide(_authority: str) -> Select[Any]:
    """Reviews that wait for the authority, for the list of pending decisions."""
    name, href = name_of(ClientReview.client_id), "/authority/applications/" + ClientReview.client_id
    columns = pending_columns(ClientReview.id, name, ClientReview.asked_at, href, ClientReview.decide_by)
    return select(*columns).where(ClientReview.status == Status.WAITING, name.is_not(None))


def asks_for_logo(logo: Column[str]) -> Exists:
    """Whether a query's picture is asked for in a request that waits."""
    after = ClientReview.changes["logo"]["after"].astext
    return exists().where(ClientReview.status == Status.WAITING, after == logo)


def _asked(row: Row[ClientReview, Client]) -> PendingReview:
    return PendingReview(row[1], row[0])


def reviews_of(client_id: str) -> Sequence[ClientReview]:
    """List an application's reviews and how they were decided, the newest first."""
    query = (
        select(ClientReview).where(ClientReview.client_id == client_id).order_by(ClientReview.asked_at.desc()).limit(20)
    )
    return session().scalars(query).all()
