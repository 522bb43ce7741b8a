"""RFC 8693: a person's token for another one, with which the client calls a further service on the person's behalf."""

from __future__ import annotations

from typing import Any

from identity.clients.registry.rules import TOKEN_EXCHANGE
from identity.openid.access_tokens import living_token
from identity.openid.audiences import CLIENT_PREFIX
from identity.openid.exchange_actions import exchange
from identity.openid.grants.token_request import TokenGrant
from identity.openid.parameters import MAX_TOKEN_CHARACTERS, optional, required
from identity.openid.request_problems import InvalidTarget
from identity.openid.rules import MalformedRequest
from kernel.base import clock

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class TokenExchangeGrant(TokenGrant):
    """The client acts itself: a token for an actor of another kind is not taken."""

    GRANT_TYPE = TOKEN_EXCHANGE

    def create_token_response(self) -> Any:
        form = self.request.payload.data
        subject_token = required(form, "subject_token", MAX_TOKEN_CHARACTERS)
        # RFC 8693 2.1
        if self.required("subject_token_type") != ACCESS_TOKEN:
            raise MalformedRequest(f"The subject_token_type must be {ACCESS_TOKEN}.")
        if self.optional("requested_token_type") not in (None, ACCESS_TOKEN):
            raise MalformedRequest(f"The requested_token_type must be {ACCESS_TOKEN}.")
        if optional(form, "actor_token", MAX_TOKEN_CHARACTERS) or self.optional("actor_token_type"):
            raise MalformedRequest("The actor is the client itself: no actor_token is taken.")
        client, binding = self.request.client, self.binding()
        exchanged = exchange(client, living_token(subject_token), self._target(), self.scopes(), binding)
        return self.answer(
            access_token=exchanged.access_token,
            issued_token_type=ACCESS_TOKEN,
            token_type=binding.token_type,
            expires_in=int((exchanged.expires_at - clock.now()).total_seconds()),
            scope=" ".join(sorted(exchanged.scopes)),
        )

    def _target(self) -> str:
        """The one client to be called, named by `audience` or as a `resource`."""
        named = {*self.several("audience"), *self.several("resource")}
        if len(named) != 1:
            raise InvalidTarget("Name one target, by audience or resource.")
        return named.pop().removeprefix(CLIENT_PREFIX)
