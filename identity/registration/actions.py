"""Clients that register themselves, and applications that go on from the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from identity.agencies.queries import find_agency, officials_of
from identity.clients.actions import TRUSTED, change_registration, register_client, revoke_client
from identity.clients.models import Client
from identity.clients.queries import client_of, forget, registration_of
from identity.clients.rules import OPEN, PUBLIC_SECTOR, StoredSecret, checked_environment, end_of_new_secret, sha256_of
from identity.registration.models import EnvironmentRequest, InitialAccessToken
from identity.registration.queries import client_managed_by
from identity.registration.rules import (
    AlreadyAsked,
    InvalidRegistrationToken,
    check_ready,
    check_unchanged,
    checked_remark,
    checked_token,
    in_words_of_rfc_7591,
    is_living,
    registration_from,
)
from kernel.access import Principal, act_as, current_principal
from kernel.errors import Invalid, NotFound, _
from kernel.ids import new_token, same, token_hash
from kernel.mail import deliver
from kernel.work import Work, action

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'}


@dataclass(frozen=True)
class NewToken:
    """An initial access token just made; the token itself is told this once."""

    kept: InitialAccessToken
    token: str


@action
def create_initial_token(
    work: Work, owner: str, environment: str, purpose: str, *, uses: int = 1, days: int = 30
) -> NewToken:
    """Let a program register clients for the owner (RFC 7591 1.2). Raises Invalid.

    Clients registered with an operator's token go straight to its environment; with anybody else's they begin in the
    sandbox and ask the authority for it.
    """
    purpose, lives = checked_token(purpose, uses, days)
    who, token = current_principal(), new_token()
    kept = InitialAccessToken(
        token_hash=token_hash(token),
        owner=owner,
        environment=checked_environment(environment),
        purpose=purpose,
        is_approval=who.kind in TRUSTED,
        created_by=who.name,
        created_at=work.now,
        expires_at=work.now + lives,
        uses_left=uses,
        revoked_at=None,
    )
    work.add(kept)
    work.session.flush()
    work.record(
        "identity:initial-token:created", kept, owner=owner, environment=environment, purpose=purpose, uses=uses
    )
    return NewToken(kept, token)


@action
def revoke_initial_token(work: Work, token_id: UUID, owner: str) -> None:
    """End an initial access token; clients registered with it stay. Raises NotFound."""
    kept = work.session.scalar(
        select(InitialAccessToken)
        .where(InitialAccessToken.id == token_id, InitialAccessToken.owner == owner)
        .with_for_update()
    )
    if kept is None:
        raise NotFound()
    if kept.revoked_at is None:
        kept.revoked_at = work.now
        work.record("identity:initial-token:revoked", kept)


@dataclass(frozen=True)
class Registered:
    """A client that registered itself; its secret and the token that manages it are told this once."""

    client: Client
    secret: str | None
    registration_token: str


@action
def register(work: Work, metadata: Mapping[str, Any], initial_token: str | None) -> Registered:
    """RFC 7591 3. Without an initial access token a client of the sandbox.

    Raises InvalidClientMetadata, InvalidRedirectUri, UnapprovedSoftwareStatement, InvalidRegistrationToken.
    """
    kept = _used(work, initial_token) if initial_token is not None else None
    asked, token = registration_from(metadata), new_token()
    is_direct = kept is not None and kept.is_approval
    try:
        made = register_client(
            asked,
            kept.environment if kept is not None and is_direct else "sandbox",
            kept.owner if kept is not None else OPEN,
            registration_token_hash=token_hash(token),
            approved_by=kept.created_by if kept is not None and is_direct else None,
        )
    except Invalid as problem:
        raise in_words_of_rfc_7591(problem) from problem
    if kept is not None and not is_direct and kept.environment != "sandbox":
        _ask(work, made.client, kept.environment)
    return Registered(made.client, made.secret, token)


def _used(work: Work, initial_token: str) -> InitialAccessToken:
    """One use less, and whoever has the token acts for its owner."""
    kept = work.session.scalar(
        select(InitialAccessToken).where(InitialAccessToken.token_hash == token_hash(initial_token)).with_for_update()
    )
    if kept is None or not is_living(kept.uses_left, kept.expires_at, kept.revoked_at, work.now):
        raise InvalidRegistrationToken(headers=CHALLENGE)
    kept.uses_left -= 1
    agency = find_agency(kept.owner.removeprefix("agency:")) if kept.owner.startswith("agency:") else None
    act_as(Principal(kind="machine", id=f"initial-token:{kept.id}", name=kept.purpose, agency=agency))
    return kept


@action
def replace_registered(work: Work, client_id: str, token: str | None, metadata: Mapping[str, Any]) -> Registered:
    """RFC 7592 2.2: what is sent takes the place of all that was. Raises as `register` does."""
    client = _managed(client_id, token)
    secret = metadata.get("client_secret")
    knows = secret is None or (
        isinstance(secret, str) and any(same(row["sha256"], sha256_of(secret)) for row in client.secrets)
    )
    check_unchanged(metadata, client_id, knows)
    try:
        changed = change_registration(client_id, registration_from(metadata))
    except Invalid as problem:
        raise in_words_of_rfc_7591(problem) from problem
    return Registered(changed.client, changed.secret, token or "")


@action
def delete_registered(work: Work, client_id: str, token: str | None) -> None:
    """RFC 7592 2.3: the client, its credentials and its tokens end. Raises InvalidRegistrationToken."""
    _managed(client_id, token)
    revoke_client(client_id)


def _managed(client_id: str, token: str | None) -> Client:
    client = client_managed_by(client_id, token)
    act_as(Principal(kind="machine", id=client.client_id, name=client.name))
    return client


# ---- from the sandbox to use ----


@action
def ask_for_environment(work: Work, client_id: str, environment: str, owner: str) -> EnvironmentRequest:
    """Ask the authority to let an application into certification or production. Raises Invalid, AlreadyAsked."""
    client_of(owner, client_id)
    client = work.session.scalars(select(Client).where(Client.client_id == client_id).with_for_update()).one()
    return _ask(work, client, environment)


def _ask(work: Work, client: Client, environment: str) -> EnvironmentRequest:
    check_ready(registration_of(client), environment, client.environment)
    waiting = select(EnvironmentRequest.id).where(
        EnvironmentRequest.client_id == client.client_id, EnvironmentRequest.state == "waiting"
    )
    if client.revoked_at is not None or work.session.scalar(waiting) is not None:
        raise AlreadyAsked()
    asked = EnvironmentRequest(
        client_id=client.client_id,
        environment=environment,
        state="waiting",
        asked_by=current_principal().name,
        asked_at=work.now,
    )
    work.add(asked)
    work.session.flush()
    work.record(
        "identity:client:environment-asked", client, environment=environment, scope_reasons=client.scope_reasons
    )
    return asked


@action
def approve(work: Work, client_id: str, *, has_public_subjects: bool = False) -> Client:
    """Let the application into the environment that it waits for. Raises NotFound, Invalid.

    has_public_subjects: whether it knows people by the `sub` that all such applications share, instead of its
    sector's own.
    """
    client, asked = _waiting(work, client_id)
    # What was changed meanwhile has to be as sound as what was asked with.
    check_ready(registration_of(client), asked.environment, client.environment)
    before, who = client.environment, current_principal()
    client.environment, client.approved_by, client.approved_at = asked.environment, who.name, work.now
    end = end_of_new_secret(client.environment, work.now)
    client.secrets = [
        StoredSecret(row["sha256"], min(filter(None, (StoredSecret.from_row(row).ends_at, end)))).as_row()
        for row in client.secrets
    ]
    if has_public_subjects:
        client.sector = PUBLIC_SECTOR
    asked.state, asked.decided_by, asked.decided_at = "approved", who.name, work.now
    work.record(
        "identity:client:environment-approved",
        client,
        before=before,
        environment=client.environment,
        sector=client.sector,
    )
    forget(client_id)
    _tell(work, client, str(_("“%(name)s” was approved", name=client.name)), "")
    return client


@action
def give_back(work: Work, client_id: str, remark: str) -> None:
    """Say what is missing before the application may go on. Raises NotFound, Invalid."""
    remark = checked_remark(remark)
    client, asked = _waiting(work, client_id)
    asked.state, asked.decided_by, asked.decided_at = "returned", current_principal().name, work.now
    asked.remark = remark
    work.record("identity:client:environment-returned", client, environment=asked.environment, remark=remark)
    _tell(work, client, str(_("“%(name)s” was given back", name=client.name)), remark)


def _waiting(work: Work, client_id: str) -> tuple[Client, EnvironmentRequest]:
    query = (
        select(Client, EnvironmentRequest)
        .join(EnvironmentRequest, EnvironmentRequest.client_id == Client.client_id)
        .where(EnvironmentRequest.state == "waiting", Client.client_id == client_id.replace("\x00", ""))
        .with_for_update()
    )
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise NotFound()
    return row[0], row[1]


def _tell(work: Work, client: Client, subject: str, remark: str) -> None:
    agency = client.owner.removeprefix("agency:") if client.owner.startswith("agency:") else None
    told = {official.email for official in officials_of(agency, "administrator")} if agency else set()
    text = f"{subject}.\n\n{remark}".strip() + f"\n\n{client.client_id}\n"
    for address in sorted(address for address in {*told, *client.contacts} if address):
        work.defer(deliver, to=address, subject=subject, text=text)
