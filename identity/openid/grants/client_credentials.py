"""RFC 6749 4.4: a system's own token. Nothing is written before the answer."""

from __future__ import annotations

from typing import Any

from identity.clients.registry.rules import RegisteredClient
from identity.openid.grants.token_request import TokenGrant
from identity.openid.rules import InvalidScope


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
        return self.answer_for_system(scopes)
