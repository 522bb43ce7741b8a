"""What the grants share: who asks, whether it may, and how the answer looks."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from identity.clients.registry.rules import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE, RegisteredClient
from identity.openid.authorization_details import MAX_CHARACTERS, read_details
from identity.openid.encryption import look_for_key
from identity.openid.grant_actions import Issued, TokenRequest
from identity.openid.issuance_log import note_issued
from identity.openid.parameters import optional
from identity.openid.proofs.binding import SenderConstraint, binding_of_request
from identity.openid.request_problems import InvalidTarget
from identity.openid.resources import check_resources
from identity.openid.rules import (
    ACCESS_TOKEN_LIFETIME,
    MACHINE_TOKEN_LIFETIME,
    MAX_PARAMETER_CHARACTERS,
    PROFILES,
    MalformedRequest,
    UnauthorizedClient,
)
from identity.openid.tokens import machine_access_token, service_audience
from kernel.base import clock
from kernel.base.ids import new_token

MOST_VALUES = 20
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
"""Where it is written for whom a grant is: systems have nobody to sign in, people's applications are no systems,
without `offline_access` there is no refreshing, and without credentials no exchange.
"""


def token_for_system(
    client: RegisteredClient, scopes: frozenset[str], audience: tuple[str, ...], binding: SenderConstraint
) -> dict[str, Any]:
    """A signed access token of the client's own, which is on record within a second: the answer of RFC 6749 5.1."""
    token_id = new_token(22)
    token = machine_access_token(
        client, scopes, clock.now(), token_id=token_id, audience=audience, confirmation=binding.cnf
    )
    note_issued(client, scopes, audience, token_id)
    return {
        "access_token": token,
        "token_type": binding.token_type,
        "expires_in": int(MACHINE_TOKEN_LIFETIME.total_seconds()),
        "scope": " ".join(sorted(scopes)),
    }


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


class TokenGrant(BaseGrant, TokenEndpointMixin):
    """A grant at the token endpoint."""

    request: Any

    def validate_token_request(self) -> None:
        """RFC 6749 5.2: first who the client is, then whether it may use this grant."""
        client: Any = self.authenticate_token_endpoint_client()
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(f"{self._rule(client)}: the grant_type {self.GRANT_TYPE} is not for this client.")
        self.request.client = client

    def _rule(self, client: RegisteredClient) -> str:
        """What keeps the client from this grant: its profile, or what it is."""
        profile = PROFILES.get(client.profile)
        written, grant = profile.rules if profile else {}, str(self.GRANT_TYPE)
        return written.get(PROFILE_FIELDS.get(grant, ""), WRITTEN[grant])

    def required(self, name: str) -> str:
        """A parameter that must be there. Raises MalformedRequest."""
        value = self.optional(name)
        if value is None:
            raise MalformedRequest(f"The parameter {name} is missing.")
        return value

    def optional(self, name: str) -> str | None:
        """A parameter; without a value it counts as left out (RFC 6749 3.2)."""
        value: str = self.request.payload.data.get(name, "")
        if len(value) > MAX_PARAMETER_CHARACTERS:
            raise MalformedRequest(f"The parameter {name} is too long.")
        return value or None

    def scopes(self) -> frozenset[str] | None:
        """The scopes asked for, None where the request leaves them out."""
        scope = self.optional("scope")
        return frozenset(scope.split()) if scope is not None else None

    def several(self, name: str) -> list[str]:
        """A parameter that may come more than once, such as `resource` (RFC 8707 2)."""
        values: list[str] = [value for value in self.request.payload.datalist.get(name, []) if value]
        if len(values) > MOST_VALUES or any(len(value) > MAX_PARAMETER_CHARACTERS for value in values):
            raise MalformedRequest(f"The parameter {name} is too long or comes too often.")
        return list(dict.fromkeys(values))

    def binding(self) -> SenderConstraint:
        """The key or certificate that the tokens are bound to. Raises InvalidProof, UseNonce, MalformedRequest."""
        return binding_of_request(self.request.client)

    def wanted(self) -> TokenRequest:
        """What the request asks for besides the grant; whoever cannot be told it has lost nothing yet."""
        look_for_key(self.request.client, "id_token")
        details = optional(self.request.payload.data, "authorization_details", MAX_CHARACTERS)
        return TokenRequest(
            self.scopes(),
            self.several("resource"),
            read_details(details, self.request.client) if details is not None else None,
            self.binding(),
        )

    def answer_for_system(self, scopes: frozenset[str]) -> Any:
        """A signed access token of the client's own, which is on record within a second. Raises InvalidTarget."""
        client: RegisteredClient = self.request.client
        usual = service_audience(client.binding)
        # RFC 8707 2.2. Who is bound to one service is bound to it here, too.
        audience = check_resources(self.several("resource"), client) or (usual,)
        if client.binding and set(audience) != {usual}:
            raise InvalidTarget("The system is bound to one service.")
        return self.answer(**token_for_system(client, scopes, audience, self.binding()))

    def answer(self, **values: Any) -> Any:
        return 200, values, self.TOKEN_RESPONSE_HEADER

    def answer_for_person(self, issued: Issued) -> Any:
        return self.answer(**tokens_for_person(self.request.client, issued))
