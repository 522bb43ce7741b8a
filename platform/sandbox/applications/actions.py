"""Changes that a developer makes to an application. The clients themselves, and their audit, are the identity
block's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc.jwk import ECKey, KeySet

from identity.clients.ownership_transfers import actions as transfers
from identity.clients.registry import actions as clients
from identity.clients.registry.queries import propose
from kernel.base.installation import settings
from kernel.base.parties import Party
from kernel.http.i18n import chosen_language
from kernel.jobs.access import Principal
from kernel.outside.messages import Recipient
from kernel.recording.work import Work, action
from sandbox.applications.queries import applications_of, get_application
from sandbox.applications.rules import MAX_APPLICATIONS, TooManyApplications, with_choices, with_trial

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


@dataclass(frozen=True)
class Credentials:
    """An application and its secret or private key (a JWK), told this once; empty for one that has neither."""

    client: Client
    secret: str


@action
def create_application(
    work: Work,
    developer_id: str,
    name: str,
    profile: str,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str],
    choices: Mapping[str, Any],
    *,
    auth_method: str | None = None,
) -> Credentials:
    """Give a developer credentials at once. choices: of the client's options.

    Raises Invalid, TooManyApplications.
    """
    if len(applications_of(developer_id)) >= MAX_APPLICATIONS:
        raise TooManyApplications()
    # FAPI 2.0 5.3.2.1 (6): no secrets. What cannot do with keys either is refused by the profile's own rule.
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}) if profile == "fapi2" else None
    if key is not None and auth_method != "none":
        auth_method = "private_key_jwt"
    made = clients.create_client(
        name,
        profile,
        with_trial(redirect_uris, settings().base_url),
        post_logout_redirect_uris=post_logout_redirect_uris,
        environment="sandbox",
        owner=Party.developer(developer_id),
        auth_method=auth_method,
        jwks=KeySet([key]).as_dict(private=False) if key else None,
        options=with_choices({}, choices),
    )
    return Credentials(made.client, json.dumps(key.as_dict(private=True), indent=1) if key else made.secret or "")


def change_application(
    developer_id: str,
    client_id: str,
    name: str,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str],
    choices: Mapping[str, Any],
) -> Client:
    """Change name, addresses and these of its options. Raises Invalid, NotFound."""
    client = get_application(developer_id, client_id)
    proposal = propose(
        client,
        name=name,
        redirect_uris=with_trial(redirect_uris, settings().base_url),
        post_logout_redirect_uris=list(post_logout_redirect_uris),
        options=with_choices(client.options, choices),
    )
    return clients.change_registration(proposal).client


@action
def renew_secret(work: Work, developer_id: str, client_id: str) -> Credentials:
    """A new secret; the one before it works for seven more days. Raises NotFound."""
    client = get_application(developer_id, client_id)
    return Credentials(client, clients.rotate_secret(client_id, owner=Party.developer(developer_id)))


@action
def offer_to_agency(work: Work, developer: Principal, client_id: str, agency_code: str, reason: str) -> None:
    """Ask an agency to take an application over, so that it may leave the sandbox.

    Raises Invalid, AlreadyOffered, NotFound.
    """
    get_application(developer.id, client_id)
    mailbox = Recipient(developer.name, chosen_language())
    transfers.offer(client_id, agency_code, reason, owner=Party.developer(developer.id), developer=mailbox)


@action
def take_offer_back(work: Work, developer_id: str, client_id: str) -> None:
    """Offer it no longer. Raises NotFound."""
    get_application(developer_id, client_id)
    transfers.take_back(client_id, owner=Party.developer(developer_id))


@action
def delete_application(work: Work, developer_id: str, client_id: str) -> None:
    """End an application: nobody signs in to it any more. Raises NotFound."""
    get_application(developer_id, client_id)
    clients.revoke_client(client_id, owner=Party.developer(developer_id))
