"""RFC 6749 4.4: a system's own token. Nothing is written."""

from __future__ import annotations

from typing import Any

from identity.clients.rules import RegisteredClient
from identity.openid.grants.token_request import TokenGrant
from identity.openid.rules import MACHINE_TOKEN_LIVES, InvalidScope
from identity.openid.tokens import machine_access_token
from kernel import clock


class ClientCredentialsGrant(TokenGrant):
    """A JWT access token (RFC 9068) for the scopes asked for, or all that the system has."""

    GRANT_TYPE = "client_credentials"

    def create_token_response(self) -> Any:
        client: RegisteredClient = self.request.client
        scope = self.optional("scope")
        scopes = frozenset(scope.split()) if scope is not None else client.scopes
        # RFC 6749 3.3
        if scopes - client.scopes:
            raise InvalidScope("The system is not registered for one of the scopes.")
        return self.answer(
            access_token=machine_access_token(client, scopes, clock.now()),
            token_type="Bearer",
            expires_in=int(MACHINE_TOKEN_LIVES.total_seconds()),
            scope=" ".join(sorted(scopes)),
        )
