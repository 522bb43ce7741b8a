"""Reads of who may register, and of what waits for the authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from identity.clients.models import Client
from identity.registration.models import EnvironmentRequest, InitialAccessToken
from identity.registration.rules import InvalidRegistrationToken
from kernel.db import session
from kernel.errors import NotFound
from kernel.ids import same, token_hash


def client_managed_by(client_id: str, token: str | None) -> Client:
    """The living client that this registration access token manages (RFC 7592 2). Raises InvalidRegistrationToken."""
    query = select(Client).where(Client.client_id == client_id.replace("\x00", ""), Client.revoked_at.is_(None))
    found = session().scalar(query)
    kept = found.registration_token_hash if found else None
    # RFC 7592 2.1: a client that does not exist is told like a token that is wrong.
    if found is None or kept is None or token is None or not same(kept, token_hash(token)):
        raise InvalidRegistrationToken(headers={"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'})
    return found


def tokens_of(owner: str) -> Sequence[InitialAccessToken]:
    """The owner's initial access tokens, the newest first."""
    query = (
        select(InitialAccessToken)
        .where(InitialAccessToken.owner == owner)
        .order_by(InitialAccessToken.created_at.desc())
        .limit(100)
    )
    return session().scalars(query).all()


@dataclass(frozen=True)
class Asked:
    """An application, and the request of its owner to let it go on."""

    client: Client
    request: EnvironmentRequest


def waiting_for_decision() -> list[Asked]:
    """What waits for the authority, the oldest first."""
    query = (
        select(Client, EnvironmentRequest)
        .join(EnvironmentRequest, EnvironmentRequest.client_id == Client.client_id)
        .where(EnvironmentRequest.state == "waiting", Client.revoked_at.is_(None))
        .order_by(EnvironmentRequest.asked_at)
        .limit(200)
    )
    return [Asked(client, request) for client, request in session().execute(query)]


def waiting_request(client_id: str) -> Asked:
    """The one application's. Raises NotFound where nothing waits."""
    query = (
        select(Client, EnvironmentRequest)
        .join(EnvironmentRequest, EnvironmentRequest.client_id == Client.client_id)
        .where(EnvironmentRequest.state == "waiting", Client.client_id == client_id.replace("\x00", ""))
    )
    row = session().execute(query).one_or_none()
    if row is None:
        raise NotFound()
    return Asked(row[0], row[1])


def requests_of(client_id: str) -> Sequence[EnvironmentRequest]:
    """What was asked for an application and how it was decided, the newest first."""
    query = (
        select(EnvironmentRequest)
        .where(EnvironmentRequest.client_id == client_id)
        .order_by(EnvironmentRequest.asked_at.desc())
        .limit(20)
    )
    return session().scalars(query).all()
