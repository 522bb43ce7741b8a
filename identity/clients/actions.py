"""What changes a client. Secrets are told once, to whoever asked for them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from identity.clients.models import Client
from identity.clients.queries import client_of, forget
from identity.clients.rules import (
    EITHER_SECRET,
    OPERATOR,
    ClientRevoked,
    StoredSecret,
    after_rotation,
    checked_environment,
    checked_machine_scopes,
    checked_name,
    checked_profile,
    checked_scopes,
    checked_uris,
    owned_by_agency,
    sector_of,
    sha256_of,
)
from kernel.errors import Conflict, NotFound, _
from kernel.ids import new_token
from kernel.work import Work, action


@dataclass(frozen=True)
class NewClient:
    """A client just made, and its secret, which is told this once; None for a client that has none."""

    client: Client
    secret: str | None


@action
def create_client(
    work: Work,
    name: str,
    profile: str,
    redirect_uris: Iterable[str],
    *,
    post_logout_redirect_uris: Iterable[str] = (),
    scopes: Iterable[str] = (),
    environment: str = "sandbox",
    owner: str = OPERATOR,
    auth_method: str | None = None,
) -> NewClient:
    """Register an application that people sign in to.

    owner: `agency:<code>`, `developer:<id>` or `operator`. Raises Invalid, its message beside the field that is wrong.
    """
    environment = checked_environment(environment)
    method = checked_profile(profile, auth_method)
    client_id = secrets.token_hex(16)
    addresses = checked_uris(redirect_uris, environment, "redirect_uris", required=True)
    client = Client(
        client_id=client_id,
        name=checked_name(name),
        profile=profile,
        auth_method=method,
        environment=environment,
        owner=owner,
        sector=sector_of(owner, addresses, client_id),
        redirect_uris=addresses,
        post_logout_redirect_uris=checked_uris(
            post_logout_redirect_uris, environment, "post_logout_redirect_uris", required=False
        ),
        scopes=checked_scopes(profile, scopes),
        binding={},
    )
    return _register(work, client, has_secret=method != "none")


@action
def create_machine_client(
    work: Work,
    name: str,
    agency_code: str,
    scopes: Iterable[str],
    binding: Mapping[str, str] | None = None,
    *,
    environment: str = "production",
) -> NewClient:
    """Register an agency's system, which gets tokens for itself (RFC 6749 4.4). Raises Invalid.

    binding: the `agreement`, `service` and `version` that its tokens are good for; nothing for our own interfaces.
    """
    owner = owned_by_agency(agency_code)
    client = Client(
        client_id=secrets.token_hex(16),
        name=checked_name(name),
        profile="machine",
        auth_method=EITHER_SECRET,
        environment=checked_environment(environment),
        owner=owner,
        sector=owner,
        redirect_uris=[],
        post_logout_redirect_uris=[],
        scopes=checked_machine_scopes(scopes),
        binding=dict(binding or {}),
    )
    return _register(work, client, has_secret=True)


def _register(work: Work, client: Client, *, has_secret: bool) -> NewClient:
    secret = new_token() if has_secret else None
    client.secrets = [StoredSecret(sha256_of(secret), None).as_row()] if secret else []
    client.created_at = work.now
    client.secret_created_at = work.now if secret else None
    client.revoked_at = None
    work.add(client)
    work.session.flush()
    work.record(
        "identity:client:created",
        client,
        name=client.name,
        profile=client.profile,
        environment=client.environment,
        owner=client.owner,
        scopes=client.scopes,
        redirect_uris=client.redirect_uris,
        binding=client.binding,
    )
    return NewClient(client, secret)


@action
def update_client(
    work: Work,
    client_id: str,
    *,
    name: str,
    redirect_uris: Iterable[str],
    post_logout_redirect_uris: Iterable[str],
    owner: str | None = None,
) -> Client:
    """Change an application's name and addresses; its credentials stay. Raises NotFound, ClientRevoked, Invalid."""
    client = _living(work, client_id, owner)
    before = {"name": client.name, "redirect_uris": client.redirect_uris}
    client.name = checked_name(name)
    client.redirect_uris = checked_uris(redirect_uris, client.environment, "redirect_uris", required=True)
    client.post_logout_redirect_uris = checked_uris(
        post_logout_redirect_uris, client.environment, "post_logout_redirect_uris", required=False
    )
    work.record(
        "identity:client:updated",
        client,
        before=before,
        name=client.name,
        redirect_uris=client.redirect_uris,
        post_logout_redirect_uris=client.post_logout_redirect_uris,
    )
    forget(client_id)
    return client


@action
def rotate_secret(work: Work, client_id: str, *, owner: str | None = None) -> str:
    """A new secret, told this once; the one before it works for seven more days. Raises NotFound, ClientRevoked."""
    client = _living(work, client_id, owner)
    if client.auth_method not in (EITHER_SECRET, "client_secret_basic", "client_secret_post"):
        raise Conflict(_("This client proves who it is without a secret."))
    secret = new_token()
    kept = [StoredSecret.from_row(row) for row in client.secrets]
    client.secrets = [one.as_row() for one in after_rotation(kept, secret, work.now)]
    client.secret_created_at = work.now
    work.record("identity:client:secret-rotated", client, previous_ends_at=client.secrets[-1]["ends_at"])
    forget(client_id)
    return secret


@action
def revoke_client(work: Work, client_id: str, *, owner: str | None = None) -> None:
    """End a client for good: no sign-in, no token, and those it has stop working. Raises NotFound.

    Does nothing the second time.
    """
    client = _locked(work, client_id, owner)
    if client.revoked_at is None:
        client.revoked_at = work.now
        client.secrets = []
        work.record("identity:client:revoked", client, name=client.name)
    forget(client_id)


def _living(work: Work, client_id: str, owner: str | None) -> Client:
    client = _locked(work, client_id, owner)
    if client.revoked_at is not None:
        raise ClientRevoked()
    return client


def _locked(work: Work, client_id: str, owner: str | None) -> Client:
    """The row, kept from others until the commit, so that two rotations at once give two secrets that both work."""
    if owner is not None:
        client_of(owner, client_id)
    query = (
        select(Client).where(Client.client_id == client_id).with_for_update().execution_options(populate_existing=True)
    )
    client = work.session.scalar(query)
    if client is None:
        raise NotFound()
    return client
