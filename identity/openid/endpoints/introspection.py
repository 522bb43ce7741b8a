"""POST /openid/introspect (RFC 7662), answered as JSON or as a signed JWT (RFC 9701)."""

from __future__ import annotations

from typing import Any

from identity.clients.registry.queries import known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.oauth_errors import in_oauth_words
from identity.openid.issuer import issuer
from identity.openid.rules import InvalidClient
from identity.openid.token_endpoint.authentication import CHALLENGE, authenticate
from identity.openid.tokens.access_tokens import ActiveToken, active_token
from identity.openid.tokens.audiences import named_services, names_of
from identity.openid.tokens.encryption import encrypted_for
from identity.openid.tokens.parameters import token_parameter
from identity.openid.tokens.tokens import signed_introspection, usual_algorithm
from identity.ports import service_owner
from kernel.base import clock
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.jobs.access import public

SIGNED = "application/token-introspection+jwt"


@for_programs("/openid/introspect", "POST", is_hot=True)
@in_oauth_words
@public("clients authenticate by the protocol")
def introspect(incoming: Incoming) -> Answer:
    """Whether a token is good, and what it says, for the client that holds it and for those it is meant for."""
    client = authenticate(incoming)
    # RFC 7662 2.1: who asks must be authorized, so that nobody tries out tokens; a public client's name proves nothing.
    if client.auth_method == "none":
        raise InvalidClient("A client without credentials cannot ask about tokens.", headers=CHALLENGE)
    says = introspection_response(token_parameter(incoming), client)
    if SIGNED in incoming.header("Accept") and incoming.accepts(SIGNED, rather_than="application/json"):
        return _signed(client, says)
    return Answer.of_json(says, headers=(NOT_KEPT,))


def introspection_response(token: str, client: RegisteredClient) -> dict[str, Any]:
    """Describe a token as far as the client may know it."""
    active = active_token(token)
    # RFC 7662 4: a token that is not for the caller is inactive to it, without a reason.
    return _says(active) if active is not None and _concerns(active, client) else {"active": False}


def _concerns(active: ActiveToken, client: RegisteredClient) -> bool:
    if active.client_id == client.client_id:
        return True
    # RFC 7662 2.1: only access tokens are anything to a protected resource.
    if active.is_refresh_token:
        return False
    return bool(names_of(client) & set(active.audience)) or _offers_what_it_is_for(client, active)


def _offers_what_it_is_for(client: RegisteredClient, active: ActiveToken) -> bool:
    """Whether the token is meant for a service of the catalogue that the caller's agency offers."""
    services = named_services(active.audience)
    if not services or client.agency_code is None:
        return False
    holder = known_client(active.client_id)
    # What is under test learns nothing of what is in use.
    if holder is None or holder.environment != client.environment:
        return False
    return any(service_owner(code) == client.agency_code for code in services)


def _says(active: ActiveToken) -> dict[str, Any]:
    """RFC 7662 2.2."""
    response: dict[str, Any] = {
        "active": True,
        "scope": " ".join(sorted(active.scopes)),
        "client_id": active.client_id,
        "iss": issuer(),
        "sub": active.subject,
        "iat": int(active.issued_at.timestamp()),
        "exp": int(active.expires_at.timestamp()),
    }
    if not active.is_refresh_token:
        response |= {"token_type": "DPoP" if "jkt" in (active.confirmation or {}) else "Bearer"}
        response |= {"aud": active.audience[0] if len(active.audience) == 1 else list(active.audience)}
    if active.authenticated_at is not None:
        # RFC 9470 6.2: how and when the person signed in.
        response |= {"auth_time": int(active.authenticated_at.timestamp()), "acr": active.acr}
    optional: dict[str, Any] = {"jti": active.token_id, "cnf": active.confirmation, "act": active.act}
    # RFC 9396 9.2
    optional |= {"authorization_details": list(active.authorization_details), **(active.service_binding or {})}
    return response | {name: value for name, value in optional.items() if value}


def _signed(client: RegisteredClient, says: dict[str, Any]) -> Answer:
    algorithm = client.options.get("introspection_signed_response_alg") or usual_algorithm(client)
    token = signed_introspection(client.client_id, says, algorithm, clock.now())
    token = encrypted_for(client, token, "introspection")
    return Answer.of_text(token, SIGNED, (NOT_KEPT,))
