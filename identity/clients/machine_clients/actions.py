"""Registering and changing an agency's systems."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from identity.clients.client_keys.queries import check_jwks_uri, validated_jwks
from identity.clients.profiles.rules import SECRET_METHODS
from identity.clients.registry.actions import NewClient, draft_client, insert_client, lock_active_client, save_client
from identity.clients.registry.rules import (
    check_credentials,
    checked_environment,
    checked_machine_scopes,
    checked_method,
    checked_name,
    checked_options,
)
from kernel.base.errors import NotFound
from kernel.base.parties import Party
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class ProposedCredentials:
    """The authentication method that a system would have."""

    auth_method: str | None
    jwks: object
    jwks_uri: str | None
    options: Mapping[str, Any]

    def verify_remote_metadata(self) -> None:
        """Look its address up before the transaction, where others would wait for the answer. Raises Invalid."""
        if self.jwks_uri is not None:
            check_jwks_uri(self.jwks_uri)


CHANGEABLE = ("name", "auth_method", "jwks", "jwks_uri", "options")


def create_machine_client(
    name: str,
    agency_code: str,
    scopes: Iterable[str],
    service_binding: Mapping[str, str] | None = None,
    *,
    environment: str = "production",
    auth_method: str | None = None,
    jwks: object = None,
    jwks_uri: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> NewClient:
    """Register an agency's system, which gets tokens for itself (RFC 6749 4.4). Raises Invalid.

    service_binding: the `agreement`, `service` and `version` that its tokens are good for; nothing for our own ones.
    """
    credentials = ProposedCredentials(auth_method, jwks, jwks_uri, options or {})
    credentials.verify_remote_metadata()
    return _create(name, agency_code, scopes, service_binding or {}, environment, credentials)


@action
def _create(
    work: Work,
    name: str,
    agency_code: str,
    scopes: Iterable[str],
    service_binding: Mapping[str, str],
    environment: str,
    credentials: ProposedCredentials,
) -> NewClient:
    owner = Party.agency(agency_code)
    client = draft_client(
        client_id=secrets.token_hex(16),
        name=checked_name(name),
        profile="machine",
        environment=checked_environment(environment),
        owner=owner,
        sector=str(owner),
        redirect_uris=[],
        post_logout_redirect_uris=[],
        scopes=checked_machine_scopes(scopes),
        service_binding=dict(service_binding),
    )
    _give(client, credentials)
    return insert_client(work, client, has_secret=client.auth_method in SECRET_METHODS)


def change_machine_client(
    client_id: str,
    name: str,
    *,
    auth_method: str,
    jwks: object = None,
    jwks_uri: str | None = None,
    options: Mapping[str, Any] | None = None,
    owner: Party | None = None,
) -> NewClient:
    """Give a system another name or other credentials; what it may do stays. Raises NotFound, ClientRevoked, Invalid.

    A secret that it had stays where it goes on having one; a new one is told where it did not.
    """
    credentials = ProposedCredentials(auth_method, jwks, jwks_uri, options or {})
    credentials.verify_remote_metadata()
    return _change(client_id, name, credentials, owner)


@action
def _change(work: Work, client_id: str, name: str, credentials: ProposedCredentials, owner: Party | None) -> NewClient:
    client = lock_active_client(work, client_id, owner)
    if client.profile != "machine":
        raise NotFound()
    before = {one: getattr(client, one) for one in CHANGEABLE}
    client.name = checked_name(name)
    _give(client, credentials)
    after = {one: getattr(client, one) for one in CHANGEABLE}
    return save_client(work, client, before, after)


def _give(client: Client, proposal: ProposedCredentials) -> None:
    method = checked_method("machine", proposal.auth_method)
    chosen = checked_options("machine", client.environment, proposal.options)
    check_credentials(method, proposal.jwks, proposal.jwks_uri, chosen)
    client.auth_method, client.options = method, chosen
    client.jwks = validated_jwks(proposal.jwks) if proposal.jwks is not None else None
    client.jwks_uri = proposal.jwks_uri
