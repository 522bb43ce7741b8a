"""Clients that register themselves, and who lets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select

from identity.agencies.queries import find_agency
from identity.clients.client_reviews.actions import ask_for_environment, change_application
from identity.clients.client_reviews.rules import AlreadyAsked
from identity.clients.client_secrets.rules import sha256_of
from identity.clients.dynamic_registration.models import InitialAccessToken
from identity.clients.dynamic_registration.queries import active_token, client_managed_by
from identity.clients.dynamic_registration.rules import (
    InvalidClientMetadata,
    check_unchanged,
    checked_token,
    in_words_of_rfc_7591,
    registration_from,
)
from identity.clients.registry.actions import TRUSTED, register_client, revoke_client
from identity.clients.registry.queries import sound_registration, verify_remote_metadata
from identity.clients.registry.rules import Registration, checked_environment
from kernel.base.errors import Invalid, NotFound, _
from kernel.base.ids import new_token, same, token_hash
from kernel.base.parties import ANYBODY, Party
from kernel.jobs.access import Principal
from kernel.recording.work import Work, action, continue_as

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class NewToken:
    """An initial access token just made; the token itself is told this once."""

    initial_token: InitialAccessToken
    token: str


@action
def create_initial_token(
    work: Work, owner: Party, environment: str, purpose: str, *, uses: int = 1, days: int = 30
) -> NewToken:
    """Let a program register clients for the owner (RFC 7591 1.2). Raises Invalid.

    Clients registered with an operator's token go straight to its environment; with anybody else's they begin in the
    sandbox and ask the authority for it.
    """
    purpose, lives = checked_token(purpose, uses, days)
    token = new_token()
    initial_token = InitialAccessToken(
        token_hash=token_hash(token),
        owner=owner,
        environment=checked_environment(environment),
        purpose=purpose,
        is_approval=work.by.kind in TRUSTED,
        created_by=work.by.name,
        created_at=work.now,
        expires_at=work.now + lives,
        uses_left=uses,
        revoked_at=None,
    )
    work.add(initial_token)
    work.session.flush()
    work.record(
        "identity:initial-token:created",
        initial_token,
        owner=str(owner),
        environment=environment,
        purpose=purpose,
        uses=uses,
    )
    return NewToken(initial_token, token)


@action
def revoke_initial_token(work: Work, token_id: UUID, owner: Party) -> None:
    """End an initial access token; clients registered with it stay. Raises NotFound."""
    initial_token = work.session.scalar(
        select(InitialAccessToken)
        .where(InitialAccessToken.id == token_id, InitialAccessToken.owner == owner)
        .with_for_update()
    )
    if initial_token is None:
        raise NotFound()
    if initial_token.revoked_at is None:
        initial_token.revoked_at = work.now
        work.record("identity:initial-token:revoked", initial_token)


@dataclass(frozen=True)
class RegistrationResult:
    """A client that registered itself; its secret and the token that manages it are told this once."""

    client: Client
    secret: str | None
    registration_token: str


def register(metadata: Mapping[str, Any], initial_token: str | None) -> RegistrationResult:
    """RFC 7591 3. Without an initial access token a client of the sandbox.

    Raises InvalidClientMetadata, InvalidRedirectUri, UnapprovedSoftwareStatement, InvalidRegistrationToken.
    """
    environment = _environment_by(active_token(initial_token) if initial_token is not None else None)
    registration = registration_from(metadata)
    try:
        verify_remote_metadata(sound_registration(registration, environment))
        return _register(registration, initial_token)
    except Invalid as problem:
        raise in_words_of_rfc_7591(problem) from problem


@action
def _register(work: Work, registration: Registration, initial_token: str | None) -> RegistrationResult:
    token_row, token = _used(initial_token) if initial_token is not None else None, new_token()
    is_direct = token_row is not None and token_row.is_approval
    made = register_client(
        registration,
        _environment_by(token_row),
        token_row.owner if token_row is not None else ANYBODY,
        registration_token_hash=token_hash(token),
        approved_by=token_row.created_by if token_row is not None and is_direct else None,
    )
    if token_row is not None and not is_direct and token_row.environment != "sandbox":
        ask_for_environment(made.client.client_id, token_row.environment)
    return RegistrationResult(made.client, made.secret, token)


def _environment_by(token_row: InitialAccessToken | None) -> str:
    """Return the environment in which a client begins that registers itself with this token, or with none."""
    return token_row.environment if token_row is not None and token_row.is_approval else "sandbox"


def _used(initial_token: str) -> InitialAccessToken:
    """One use less, and whoever has the token acts for its owner. Raises InvalidRegistrationToken."""
    token_row = active_token(initial_token, for_use=True)
    token_row.uses_left -= 1
    agency = find_agency(token_row.owner.agency_code) if token_row.owner.agency_code else None
    continue_as(Principal(kind="machine", id=f"initial-token:{token_row.id}", name=token_row.purpose, agency=agency))
    return token_row


def replace_registered(client_id: str, token: str | None, metadata: Mapping[str, Any]) -> RegistrationResult:
    """RFC 7592 2.2: what is sent takes the place of all that was. Raises as `register` does.

    Of what is in use some changes wait for the authority; the answer then tells what is registered until then.
    """
    client = _managed(client_id, token)
    secret = metadata.get("client_secret")
    knows = secret is None or (
        isinstance(secret, str) and any(same(row["sha256"], sha256_of(secret)) for row in client.secrets)
    )
    check_unchanged(metadata, client_id, knows)
    try:
        changed = change_application(client, registration_from(metadata))
    except Invalid as problem:
        raise in_words_of_rfc_7591(problem) from problem
    except AlreadyAsked as problem:
        raise InvalidClientMetadata(_("An earlier change is waiting for the authority's decision.")) from problem
    return RegistrationResult(changed.client, changed.secret, token or "")


@action
def delete_registered(work: Work, client_id: str, token: str | None) -> None:
    """RFC 7592 2.3: the client, its credentials and its tokens end. Raises InvalidRegistrationToken."""
    _managed(client_id, token)
    revoke_client(client_id)


def _managed(client_id: str, token: str | None) -> Client:
    client = client_managed_by(client_id, token)
    continue_as(Principal(kind="machine", id=client.client_id, name=client.name))
    return client
