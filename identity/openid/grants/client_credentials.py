"""RFC 6749 4.4: a system's own token. Nothing is written."""

from __future__ import annotations

from typing import Any

from identity.clients.rules import RegisteredClient
from identity.openid.grants.token_request import TokenGrant
from identity.openid.resources import check_resources
from identity.openid.rules import MACHINE_TOKEN_LIVES, InvalidScope
from identity.openid.tokens import machine_access_token
from kernel import clock


class ClientCredentialsGrant(TokenGrant):
    """A JWT access token (RFC 9068) for the scopes asked for, or all that the system has."""

    GRANT_TYPE = "client_credentials"

    def create_token_response(self) -> Any:
        client: RegisteredClient = self.request.client
        asked = self.scopes()
        scopes = client.scopes if asked is None else asked
        # RFC 6749 3.3
        if scopes - client.scopes:
            raise InvalidScope("The system is not registered for one of the scopes.")
        # RFC 8707 2.2
        audience = check_resources(self.several("resource"), client)
        binding, now = self.binding(), clock.now()
        return self.answer(
            access_token=machine_access_token(client, scopes, now, audience=audience, confirmation=binding.cnf),
            token_type=binding.token_type,
            expires_in=int(MACHINE_TOKEN_LIVES.total_seconds()),
            scope=" ".join(sorted(scopes)),
        )
