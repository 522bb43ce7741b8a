"""Access tokens of agencies' systems at our own interfaces: who is calling `/api/` and `/gateway/`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flask import request

from identity.clients.queries import known_client
from identity.clients.rules import RegisteredClient
from identity.openid.access_tokens import living_token
from identity.openid.rules import InvalidToken
from kernel.access import ANONYMOUS, AgencyRef, Principal, act_as
from kernel.http import settings

BINDING_CLAIMS = ("agreement", "service", "version")
CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *")


def client_principal(
    client: RegisteredClient, scopes: frozenset[str] = frozenset(), binding: Mapping[str, str] | None = None
) -> Principal:
    """The client as whoever acts in the audit and in access declarations."""
    agency = None
    if client.agency_code is not None:
        agency = AgencyRef(client.agency_code, client.agency_name or "", client.agency_is_authority)
    return Principal(
        kind="machine", id=client.client_id, name=client.name, agency=agency, scopes=scopes, binding=dict(binding or {})
    )


def bearer_token() -> str | None:
    """The token of a well-formed `Authorization: Bearer` header (RFC 6750 2.1), None for any other."""
    matched = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return matched[1] if matched else None


def bearer_principal() -> Principal | None:
    """The authenticator of `/api/` and `/gateway/`: the system that the access token was given to.

    Raises InvalidToken for a token that is not ours, has expired or is meant for another place, and for the token of
    a client that was revoked.
    """
    if not request.path.startswith(("/api/", "/gateway/")) or "Authorization" not in request.headers:
        return None
    act_as(ANONYMOUS)  # so that showing the refusal does not ask again
    token = bearer_token()
    living = living_token(token) if token else None
    if living is None:
        raise InvalidToken(headers=CHALLENGE)
    if not _is_meant_for_here(living.audience):
        raise InvalidToken("The token is meant for another place (aud).", headers=CHALLENGE)
    client = known_client(living.client_id)
    if client is None or client.profile != "machine":
        raise InvalidToken("These interfaces are for the systems of agencies.", headers=CHALLENGE)
    said = living.binding or {}
    return client_principal(client, living.scopes, {name: said[name] for name in BINDING_CLAIMS if name in said})


def _is_meant_for_here(audience: Sequence[str]) -> bool:
    """RFC 9068 4: the audience must be checked. Behind the gateway are services, everywhere else are we."""
    if request.path.startswith("/gateway/"):
        return True  # which service it is good for, the gateway compares with the one called
    return not {settings().base_url, f"{settings().base_url}/api/v1"}.isdisjoint(audience)
