"""Reads of who may register and manage clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from identity.clients.dynamic_registration.models import InitialAccessToken
from identity.clients.dynamic_registration.rules import InvalidRegistrationToken, is_active
from identity.clients.registry.queries import active_client
from kernel.base import clock
from kernel.base.ids import same, token_hash
from kernel.base.parties import Party
from kernel.database.db import session

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'}


def client_managed_by(client_id: str, token: str | None) -> Client:
    """The living client that this registration access token manages (RFC 7592 2). Raises InvalidRegistrationToken."""
    client = active_client(client_id)
    stored_hash = client.registration_token_hash if client else None
    # RFC 7592 2.1: a client that does not exist is told like a token that is wrong.
    if client is None or stored_hash is None or token is None or not same(stored_hash, token_hash(token)):
        raise InvalidRegistrationToken(headers=CHALLENGE)
    return client


def active_token(initial_token: str, *, for_use: bool = False) -> InitialAccessToken:
    """The initial access token of this text. for_use: as it is now, kept from others until the commit.

    Raises InvalidRegistrationToken.
    """
    query = select(InitialAccessToken).where(InitialAccessToken.token_hash == token_hash(initial_token))
    if for_use:
        query = query.with_for_update().execution_options(populate_existing=True)
    token_row = session().scalar(query)
    if token_row is None or not is_active(token_row.uses_left, token_row.expires_at, token_row.revoked_at, clock.now()):
        raise InvalidRegistrationToken(headers=CHALLENGE)
    return token_row


def tokens_of(owner: Party) -> Sequence[InitialAccessToken]:
    """The owner's initial access tokens, the newest first."""
    query = (
        select(InitialAccessToken)
        .where(InitialAccessToken.owner == owner)
        .order_by(InitialAccessToken.created_at.desc())
        .limit(100)
    )
    return session().scalars(query).all()
