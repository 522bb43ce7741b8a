"""POST /openid/register (RFC 7591 3) and GET, PUT and DELETE below it (RFC 7592 2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from identity.clients.dynamic_registration import actions
from identity.clients.dynamic_registration.queries import client_managed_by
from identity.clients.dynamic_registration.rules import (
    MAX_BODY_BYTES,
    InvalidClientMetadata,
    InvalidRegistrationToken,
    end_in_seconds,
    metadata_of,
)
from identity.clients.registry.queries import registration_of
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.oauth_errors import in_oauth_words, without_content
from identity.openid.issuer import issuer
from identity.openid.tokens.bearer import access_token_in
from identity.ports import OPEN_REGISTRATION
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.http.rate_limit import limiter
from kernel.jobs.access import public

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

LIMIT = "60 per hour"


@for_programs("/openid/register", "POST", is_limited=True, longest_body=MAX_BODY_BYTES)
@in_oauth_words
@public("anybody may register in the sandbox; elsewhere the initial access token says who may")
def register(incoming: Incoming) -> Answer:
    """Register a client. Without an initial access token, one of the sandbox."""
    limiter.count(LIMIT, incoming)
    # Where no sandbox is deployed there is nothing to register in without being let in.
    is_open = OPEN_REGISTRATION() and not incoming.has_header("Authorization")
    made = actions.register(_metadata(incoming), None if is_open else _token(incoming))
    return _described(made.client, made.secret, made.registration_token, 201)


@for_programs("/openid/register/<client_id>", "GET", "PUT", "DELETE", longest_body=MAX_BODY_BYTES)
@in_oauth_words
@public("the registration access token is checked by the protocol")
def registered_client(incoming: Incoming) -> Answer:
    """Read, replace or end one client, with the token that it got when it registered."""
    client_id, token = incoming.path_values["client_id"], _token(incoming)
    if incoming.method == "DELETE":
        actions.delete_registered(client_id, token)
        return without_content(204)
    if incoming.method == "PUT":
        changed = actions.replace_registered(client_id, token, _metadata(incoming))
        return _described(changed.client, changed.secret, changed.registration_token)
    return _described(client_managed_by(client_id, token), None, token)


def _token(incoming: Incoming) -> str:
    scheme, token = access_token_in(incoming.header("Authorization"))
    if token is None or scheme.lower() != "bearer":
        raise InvalidRegistrationToken(headers={"WWW-Authenticate": 'Bearer realm="openid"'})
    return token


def _metadata(incoming: Incoming) -> dict[str, Any]:
    """RFC 7591 3.1: a JSON object. Raises InvalidClientMetadata, TooLarge."""
    if incoming.mimetype != "application/json":
        raise InvalidClientMetadata("The body must be application/json.")
    try:
        metadata = json.loads(incoming.body)
    except (ValueError, RecursionError) as error:
        raise InvalidClientMetadata("The body is not JSON.") from error
    if not isinstance(metadata, dict):
        raise InvalidClientMetadata("The body must be a JSON object.")
    return metadata


def _described(client: Client, secret: str | None, token: str, status: int = 200) -> Answer:
    """RFC 7591 3.2.1 and RFC 7592 3. Secrets are told once: later answers have none."""
    document = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        **({"client_secret": secret} if secret is not None else {}),
        **({"client_secret_expires_at": end_in_seconds(client.secrets)} if client.secrets else {}),
        "registration_access_token": token,
        "registration_client_uri": f"{issuer()}/register/{client.client_id}",
        "environment": client.environment,
        **metadata_of(registration_of(client), client.sector),
    }
    return Answer.of_json(document, status, (NOT_KEPT, ("Pragma", "no-cache")))
