"""Changes of a client. Secrets are told once, to whoever asked for them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert

from identity.clients.client_secrets.rules import (
    LastSecret,
    StoredSecret,
    active_secrets,
    after_rotation,
    end_of_new_secret,
)
from identity.clients.profiles.rules import SECRET_METHODS, SECTOR_URI
from identity.clients.registry.models import Client, UsedProof
from identity.clients.registry.queries import (
    Proposal,
    forget,
    owned,
    registration_of,
    settled,
    sound_registration,
    verify_remote_metadata,
)
from identity.clients.registry.rules import (
    ClientRevoked,
    NeedsApproval,
    Registration,
    checked_environment,
    needing_approval,
    sector_kind,
    sector_named,
)
from kernel.base.errors import Conflict, Invalid, NotFound, _
from kernel.base.ids import new_token
from kernel.base.parties import ANYBODY, OPERATOR, Party
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic
from kernel.recording.work import Work, action

TRUSTED = ("operator", "system")
"""Kinds of actors who need nobody's approval: those who run the installation, and its own jobs and seeds."""


@dataclass(frozen=True)
class NewClient:
    """A client just made, and its secret, which is told this once; None for a client that has none."""

    client: Client
    secret: str | None


def create_client(
    name: str,
    profile: str,
    redirect_uris: Iterable[str],
    *,
    environment: str = "sandbox",
    owner: Party = OPERATOR,
    **others: Any,
) -> NewClient:
    """Register an application that people sign in to; `others` are the further fields of `Registration`.

    Raises Invalid, its message beside the field that is wrong.
    """
    registration = Registration(name, profile, list(redirect_uris), **others)
    verify_remote_metadata(sound_registration(registration, checked_environment(environment)))
    return register_client(registration, environment, owner)


@action
def register_client(
    work: Work,
    registration: Registration,
    environment: str,
    owner: Party,
    *,
    registration_token_hash: bytes | None = None,
    approved_by: str | None = None,
) -> NewClient:
    """Register an application whose addresses were looked at (`verify_remote_metadata`).

    approved_by: who let it outside the sandbox. Raises Invalid.
    """
    environment = checked_environment(environment)
    # Agencies and developers begin in the sandbox, and the authority lets them go on.
    if environment != "sandbox" and approved_by is None and work.by.kind not in TRUSTED:
        raise Invalid(fields={"environment": [_("Begin in the sandbox, and ask the authority from there.")]})
    client_id = secrets.token_hex(16)
    client = Client(client_id=client_id, environment=environment, owner=owner, service_binding={})
    _fill(client, sound_registration(registration, environment))
    client.registration_token_hash = registration_token_hash
    if environment != "sandbox":
        client.approved_by, client.approved_at = approved_by or work.by.name, work.now
    return insert_client(work, client, has_secret=client.auth_method in SECRET_METHODS)


def _fill(client: Client, sound: Registration) -> None:
    published, before = sound.options.get(SECTOR_URI), (client.options or {}).get(SECTOR_URI)
    for name, value in vars(sound).items():
        if name not in ("sector", "logo"):
            setattr(client, name, value)
    if sound.logo is not None:
        client.logo = sound.logo or None
    if client.sector is None or sound.sector not in (None, sector_kind(client.sector)) or published != before:
        addresses = [published] if published else client.redirect_uris
        client.sector = sector_named(sound.sector, client.owner, addresses, client.client_id)


def draft_client(**fields: Any) -> Client:
    """A client put together of its fields, not kept yet."""
    return Client(**fields)


def insert_client(work: Work, client: Client, *, has_secret: bool) -> NewClient:
    """Keep a client just put together, and make its secret."""
    client.created_at = work.now
    client.secrets = []
    secret = _new_secret(work, client) if has_secret else None
    work.add(client)
    work.session.flush()
    work.record(
        "identity:client:created",
        client,
        name=client.name,
        profile=client.profile,
        environment=client.environment,
        owner=str(client.owner),
        scopes=client.scopes,
        redirect_uris=client.redirect_uris,
        options=client.options,
        binding=client.service_binding,
    )
    forget(client.client_id)
    return NewClient(client, secret)


@action
def change_registration(work: Work, proposal: Proposal) -> NewClient:
    """Put what was proposed in the place of what is registered, in another profile too.

    The secret stays where the client goes on having one; a new one is told where it did not. Raises NotFound,
    ClientRevoked, NeedsApproval, Conflict, and Invalid, which names the rule that the profile would break.
    """
    client, after = lock_for(work, proposal)
    if undecided := undecided_changes(work, client, after):
        raise NeedsApproval(log=", ".join(undecided))
    return replace_registration(work, client, after)


def lock_for(work: Work, proposal: Proposal) -> tuple[Client, Registration]:
    """The client that a proposal is for, kept from others until the commit, and what becomes of it.

    Raises NotFound, ClientRevoked, Conflict, Invalid.
    """
    client = lock_active_client(work, proposal.client_id, proposal.owner)
    return client, settled(proposal, client)


def undecided_changes(work: Work, client: Client, after: Registration) -> list[str]:
    """The fields that the authority has to approve before a client may become this."""
    is_decided = client.environment == "production" and work.by.kind not in TRUSTED
    return needing_approval(registration_of(client), after) if is_decided else []


def replace_registration(work: Work, client: Client, sound: Registration) -> NewClient:
    """Put a sound registration in the place of a locked client's."""
    before = vars(registration_of(client))
    _fill(client, sound)
    return save_client(work, client, before, vars(sound))


def save_client(work: Work, client: Client, before: Mapping[str, Any], after: Mapping[str, Any]) -> NewClient:
    """Record what is different, and make the secret that a new way to authenticate needs."""
    different = sorted(name for name, value in after.items() if value != before[name])
    secret = None
    if client.auth_method not in SECRET_METHODS:
        client.secrets, client.secret_created_at = [], None
    elif not client.secrets:
        secret = _new_secret(work, client)
    if "jwks_uri" in different:
        client.keys_end_at = client.keys_failing_since = None
    work.record(
        "identity:client:updated",
        client,
        before={name: before[name] for name in different},
        after={name: after[name] for name in different},
    )
    forget(client.client_id)
    return NewClient(client, secret)


def _new_secret(work: Work, client: Client) -> str:
    secret = new_token()
    secrets = [StoredSecret.from_row(row) for row in client.secrets]
    ends_at = end_of_new_secret(client.environment, work.now)
    client.secrets = [one.as_row() for one in after_rotation(secrets, secret, work.now, ends_at)]
    client.secret_created_at, client.warned_of = work.now, None
    return secret


@action
def rotate_secret(work: Work, client_id: str, *, owner: Party | None = None) -> str:
    """A new secret, told this once; the one before it works for seven more days. Raises NotFound, ClientRevoked."""
    client = lock_active_client(work, client_id, owner)
    if client.auth_method not in SECRET_METHODS:
        raise Conflict(_("This client proves who it is without a secret."))
    secret = _new_secret(work, client)
    work.record("identity:client:secret-rotated", client, previous_ends_at=client.secrets[-1]["ends_at"])
    forget(client_id)
    return secret


@action
def revoke_secret(work: Work, client_id: str, code: str, *, owner: Party | None = None) -> None:
    """End one of two secrets at once. Raises NotFound, ClientRevoked, LastSecret for the only one that works."""
    client = lock_active_client(work, client_id, owner)
    living = active_secrets(client.secrets, work.now)
    others = [one for one in living if one.code != code]
    if len(others) == len(living):
        raise NotFound()
    if not others:
        raise LastSecret()
    client.secrets = [one.as_row() for one in others]
    work.record("identity:client:secret-withdrawn", client, secret=code)
    forget(client_id)


def replace_credentials(work: Work, client: Client) -> str | None:
    """Nothing that opened the client before opens it now; its new secret, None for one that has none."""
    client.jwks = client.jwks_uri = client.secret_created_at = None
    client.secrets = []
    secret = _new_secret(work, client) if client.auth_method in SECRET_METHODS else None
    forget(client.client_id)
    return secret


@action
def revoke_client(work: Work, client_id: str, *, owner: Party | None = None) -> None:
    """End a client for good: no sign-in, no token, and those it has stop working. Raises NotFound.

    Does nothing the second time.
    """
    client = _locked(work, client_id, owner)
    if client.revoked_at is None:
        client.revoked_at = work.now
        client.secrets = []
        work.record("identity:client:revoked", client, name=client.name)
    forget(client_id)


def lock_active_client(work: Work, client_id: str, owner: Party | None) -> Client:
    """The row, kept from others until the commit. Raises NotFound, NotYours (told alike), ClientRevoked."""
    client = _locked(work, client_id, owner)
    if client.revoked_at is not None:
        raise ClientRevoked()
    return client


def lock_active_batch(work: Work, after: str, limit: int, *, publishing: bool = False) -> Sequence[Client]:
    """The next clients after an identifier, but for those that others change now.

    publishing: only those that publish their keys at an address.
    """
    query = select(Client).where(Client.client_id > after, Client.revoked_at.is_(None))
    if publishing:
        query = query.where(Client.jwks_uri.is_not(None))
    query = query.order_by(Client.client_id).limit(limit).with_for_update(skip_locked=True)
    return work.session.scalars(query).all()


def lock_publishing(work: Work, client_id: str, uri: str) -> Client | None:
    """The client, if it still publishes its keys there."""
    query = select(Client).where(Client.client_id == client_id, Client.jwks_uri == uri, Client.revoked_at.is_(None))
    return work.session.scalar(query.with_for_update())


def take_turn(work: Work, client_id: str) -> None:
    """Wait for whoever else took their turn at this client; those who only read or refer to it do not wait."""
    work.session.execute(select(Client.id).where(Client.client_id == client_id).with_for_update(key_share=True))


def remove_open_clients(work: Work, made_before: datetime, limit: int, *in_use: ColumnElement[bool]) -> int:
    """Remove clients of the open sandbox that fulfil none of the conditions (on `CLIENT_ID`); how many that were."""
    unused = (
        select(Client)
        .where(
            Client.owner == ANYBODY,
            Client.environment == "sandbox",
            Client.created_at < made_before,
            *(~condition for condition in in_use),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    clients = work.session.scalars(unused).all()
    for client in clients:
        work.record("identity:client:swept", client, name=client.name, created_at=client.created_at.isoformat())
        work.session.delete(client)
        forget(client.client_id)
    return len(clients)


def lock_client(work: Work, client_id: str) -> None:
    """Keep a client's row, if there is one, from others until the commit.

    Call it before rows that hang on the client are locked: in another order two changes would wait for each other.
    """
    work.session.execute(select(Client.id).where(Client.client_id == client_id).with_for_update())


def _locked(work: Work, client_id: str, owner: Party | None) -> Client:
    """Locked, so that two rotations at once give two secrets that both work."""
    query = (
        select(Client)
        .where(Client.client_id == client_id.replace("\x00", ""))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    client = work.session.scalar(query)
    if client is None:
        raise NotFound()
    return owned(client, owner) if owner is not None else client


# ---- what is signed by clients ----


@action
def use_once(work: Work, kind: str, client_id: str, jti: str, until: datetime) -> bool:
    """Note that something signed was used. False if it had been: it was replayed (RFC 7523 3, RFC 9449 11.1).

    until: when the thing ends by itself, so that nothing has to be remembered any longer.
    """
    proof_hash = hashlib.sha256("\0".join((kind, client_id, jti)).encode()).digest()
    noted = insert(UsedProof).values(proof_hash=proof_hash, expires_at=until)
    noted = noted.on_conflict_do_update(
        index_elements=["proof_hash"], set_={"expires_at": until}, where=UsedProof.expires_at < work.now
    )
    return work.session.execute(noted.returning(UsedProof.expires_at)).one_or_none() is not None


@periodic("identity:proof:sweep", "*/5 * * * *")
def sweep_proofs() -> None:
    """Forget what has ended by itself, in batches that keep nobody waiting."""
    until_empty(sweep_used_proofs)


@action
def sweep_used_proofs(work: Work) -> int:
    """One batch; how many were forgotten."""
    return remove_batch(work.session, UsedProof, UsedProof.expires_at < work.now)
