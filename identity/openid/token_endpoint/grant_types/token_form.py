"""Parts that the grants share: who asks, whether it may, and how the answer looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from identity.clients.registry.rules import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE, RegisteredClient
from identity.openid.grants.authorization_details import MAX_CHARACTERS, read_details
from identity.openid.grants.grant_actions import Issued, TokenRequest
from identity.openid.grants.request_problems import InvalidTarget
from identity.openid.grants.resources import check_resources
from identity.openid.rules import (
    ACCESS_TOKEN_LIFETIME,
    MACHINE_TOKEN_LIFETIME,
    MAX_PARAMETER_CHARACTERS,
    PROFILES,
    InvalidScope,
    UnauthorizedClient,
)
from identity.openid.token_endpoint.issuance_log import note_issued
from identity.openid.tokens import parameters
from identity.openid.tokens.encryption import look_for_key
from identity.openid.tokens.proofs.sender_constraint import SenderConstraint, sender_constraint_of
from identity.openid.tokens.tokens import machine_access_token, service_audience
from kernel.base import clock
from kernel.base.ids import new_token
from kernel.http.incoming import Incoming

PROFILE_FIELDS = {DEVICE_CODE: "device_flow", TOKEN_EXCHANGE: "token_exchange"}
"""Grants that a profile may forbid."""
WRITTEN = {
    "authorization_code": "RFC 6749 4.1",
    "refresh_token": "OpenID Connect Core 11",
    "client_credentials": "RFC 6749 4.4",
    DEVICE_CODE: "RFC 8628 3.4",
    TOKEN_EXCHANGE: "RFC 8693 5",
    JWT_BEARER: "RFC 7523 3.1",
}
"""Sources of the rules for whom a grant is. Systems have nobody to sign in, people's applications are no systems,
without `offline_access` there is no refreshing, and without credentials no exchange.
"""


def tokens_for_person(client: RegisteredClient, issued: Issued) -> dict[str, Any]:
    """RFC 6749 5.1 and OIDC Core 3.1.3.3; the `clave-unica` profile has the manual's four members and no more."""
    values: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "bearer" if client.profile == "clave-unica" else issued.token_type,
        "expires_in": int(ACCESS_TOKEN_LIFETIME.total_seconds()),
    }
    if issued.id_token is not None:
        values["id_token"] = issued.id_token
    if client.profile != "clave-unica":
        values["scope"] = " ".join(sorted(issued.scopes))
    if issued.refresh_token is not None:
        values["refresh_token"] = issued.refresh_token
    # RFC 9396 7: what was granted of them.
    if issued.authorization_details:
        values["authorization_details"] = list(issued.authorization_details)
    return values


def check_may_use(client: RegisteredClient, grant_type: str) -> None:
    """RFC 6749 5.2. Raises UnauthorizedClient, with what keeps the client from this grant: its profile or kind."""
    if grant_type in client.grant_types:
        return
    profile = PROFILES.get(client.profile)
    written = profile.rules if profile else {}
    rule = written.get(PROFILE_FIELDS.get(grant_type, ""), WRITTEN[grant_type])
    raise UnauthorizedClient(f"{rule}: the grant_type {grant_type} is not for this client.")


@dataclass(frozen=True)
class TokenForm:
    """A token request, of a client that has proven who it is."""

    client: RegisteredClient
    incoming: Incoming

    def required(self, name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str:
        """A parameter that must be there. Raises MalformedRequest."""
        return parameters.required(self.incoming.form, name, longest)

    def optional(self, name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str | None:
        """A parameter; without a value it counts as left out (RFC 6749 3.2). Raises MalformedRequest."""
        return parameters.optional(self.incoming.form, name, longest)

    def several(self, name: str) -> list[str]:
        """A parameter that may come more than once, such as `resource` (RFC 8707 2). Raises MalformedRequest."""
        return parameters.several(self.incoming.form, name)

    def scopes(self) -> frozenset[str] | None:
        """The scopes asked for, None where the request leaves them out."""
        scope = self.optional("scope")
        return frozenset(scope.split()) if scope is not None else None

    def sender_constraint(self) -> SenderConstraint:
        """The key or certificate that the tokens are bound to. Raises InvalidProof, UseNonce, MalformedRequest."""
        return sender_constraint_of(self.client, self.incoming)

    def request(self) -> TokenRequest:
        """Read the request beside the grant; a client that cannot be told it has lost nothing yet."""
        look_for_key(self.client, "id_token")
        details = self.optional("authorization_details", MAX_CHARACTERS)
        return TokenRequest(
            self.scopes(),
            self.several("resource"),
            read_details(details, self.client) if details is not None else None,
            self.sender_constraint(),
        )


def token_for_system(form: TokenForm) -> dict[str, Any]:
    """A signed access token of the client's own, which is on record within a second: the answer of RFC 6749 5.1.

    Raises InvalidScope, InvalidTarget.
    """
    client, requested_scopes = form.client, form.scopes()
    scopes = client.scopes if requested_scopes is None else requested_scopes
    # RFC 6749 3.3
    if scopes - client.scopes:
        raise InvalidScope("The system is not registered for one of the scopes.")
    usual = service_audience(client.service_binding)
    # RFC 8707 2.2. Who is bound to one service is bound to it here, too.
    audience = check_resources(form.several("resource"), client) or (usual,)
    if client.service_binding and set(audience) != {usual}:
        raise InvalidTarget("The system is bound to one service.")
    constraint, token_id = form.sender_constraint(), new_token(22)
    token = machine_access_token(
        client, scopes, clock.now(), token_id=token_id, audience=audience, confirmation=constraint.cnf
    )
    note_issued(client, scopes, audience, token_id)
    return {
        "access_token": token,
        "token_type": constraint.token_type,
        "expires_in": int(MACHINE_TOKEN_LIFETIME.total_seconds()),
        "scope": " ".join(sorted(scopes)),
    }
