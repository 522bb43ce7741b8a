"""Access tokens at our own interfaces: which system, or which person through which application, is calling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from identity.clients.registry.queries import known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.rules import InvalidToken
from identity.openid.tokens.access_tokens import ActiveToken, active_token
from identity.openid.tokens.proofs.sender_constraint import check_sender_constraint
from identity.openid.tokens.token_queries import person_of_grant
from kernel.base.installation import settings
from kernel.http.incoming import Incoming
from kernel.jobs.access import ANONYMOUS, AgencyRef, Principal, act_as, program_paths

BINDING_CLAIMS = ("agreement", "service", "version")
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource/api/v1"
_AUTHORIZATION = re.compile(r"([Bb][Ee][Aa][Rr][Ee][Rr]|[Dd][Pp][Oo][Pp]) +([A-Za-z0-9._~+/-]+=*) *")


def client_principal(
    client: RegisteredClient, scopes: frozenset[str] = frozenset(), service_binding: Mapping[str, str] | None = None
) -> Principal:
    """The client as whoever acts in the audit and in access declarations."""
    agency = None
    if client.agency_code is not None:
        agency = AgencyRef(client.agency_code, client.agency_name or "", client.agency_is_authority)
    return Principal(
        kind="machine",
        id=client.client_id,
        name=client.name,
        agency=agency,
        scopes=scopes,
        service_binding=dict(service_binding or {}),
    )


def access_token_in(header: str) -> tuple[str, str | None]:
    """The scheme of an Authorization header, and the token if it is well formed (RFC 6750 2.1, RFC 9449 7.1)."""
    matched = _AUTHORIZATION.fullmatch(header)
    return (matched[1], matched[2]) if matched else (header.partition(" ")[0], None)


def is_of_tokens(scheme: str) -> bool:
    """Whether it is a scheme by which access tokens come."""
    return scheme.lower() in ("bearer", "dpop")


def came_with_dpop() -> bool:
    """Whether the access token of this request is one that is bound to a key."""
    return access_token_in(Incoming.of_flask().header("Authorization"))[0].lower() == "dpop"


def bearer_principal() -> Principal | None:
    """The authenticator of the paths of programs: the system that the access token was given to, or its person.

    Raises InvalidToken for a token that is not ours, was revoked, has expired or is meant for another place, for one
    of a revoked client, and for one that is bound to a key or certificate that the caller does not show.
    """
    incoming = Incoming.of_flask()
    if not program_paths(incoming.path) or not incoming.has_header("Authorization"):
        return None
    act_as(ANONYMOUS)  # so that showing the refusal does not ask again
    scheme, token = access_token_in(incoming.header("Authorization"))
    active = active_token(token) if token else None
    client = known_client(active.client_id) if active else None
    if not is_of_tokens(scheme):
        raise InvalidToken(headers=_challenge(error=None))
    if token is None or active is None or client is None:
        raise InvalidToken(headers=_challenge())
    if not _is_meant_for(incoming.path, active.audience):
        raise InvalidToken("The token is meant for another place (aud).", headers=_challenge())
    check_sender_constraint(active.confirmation, token, scheme, client, incoming)
    if client.profile != "machine":
        return _person_principal(active, incoming.path)
    binding = active.service_binding or {}
    return client_principal(client, active.scopes, {name: binding[name] for name in BINDING_CLAIMS if name in binding})


def _person_principal(active: ActiveToken, path: str) -> Principal:
    """The person, who is not here themselves: what they may do is what their scopes say, and never a role of theirs."""
    if _leads_to_services(path):
        raise InvalidToken("The gateway is for the systems of agencies.", headers=_challenge())
    person_and_claims = person_of_grant(active.grant_id) if active.grant_id else None
    if person_and_claims is None:
        raise InvalidToken(headers=_challenge())
    person, _claims = person_and_claims
    return Principal(
        kind="person",
        id=str(person.id),
        name=" ".join([*person.given_names, *person.family_names]),
        scopes=active.scopes,
        application=active.client_id,
        acr=active.acr or "",
        authenticated_at=active.authenticated_at,
    )


def _challenge(error: str | None = "invalid_token") -> dict[str, str]:
    """RFC 9728 5.1: with where to read who gives tokens for this place. RFC 6750 3.1: no error for another scheme."""
    where = f"{settings().base_url}{PROTECTED_RESOURCE}"
    error_parameter = f'error="{error}", ' if error else ""
    return {"WWW-Authenticate": f'Bearer {error_parameter}resource_metadata="{where}"'}


def _is_meant_for(path: str, audience: Sequence[str]) -> bool:
    """RFC 9068 4: the audience must be checked. Behind some paths are services, everywhere else are we."""
    if _leads_to_services(path):
        return True  # which service it is good for is compared there with the one called
    return not {settings().base_url, f"{settings().base_url}/api/v1"}.isdisjoint(audience)


def _leads_to_services(path: str) -> bool:
    paths = program_paths(path)
    return paths is not None and paths.is_of_services
