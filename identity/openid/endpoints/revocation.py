"""POST /openid/revoke (RFC 7009)."""

from __future__ import annotations

from identity.openid.endpoints import for_programs
from identity.openid.endpoints.cross_origin import open_to_browser_applications
from identity.openid.endpoints.oauth_errors import in_oauth_words, without_content
from identity.openid.grants.token_actions import revoke_token
from identity.openid.rules import InvalidGrant
from identity.openid.token_endpoint.authentication import authenticate
from identity.openid.tokens.access_tokens import active_token
from identity.openid.tokens.parameters import token_parameter
from kernel.http.incoming import Answer, Incoming
from kernel.jobs.access import public


@for_programs("/openid/revoke", "POST", "OPTIONS", is_hot=True)
@open_to_browser_applications("POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def revoke(incoming: Incoming) -> Answer:
    """End a token of the client that asks. Another client's token is left alone."""
    client = authenticate(incoming)
    # RFC 7009 2.1: the hint is only a hint, and both kinds are looked for at once.
    token = token_parameter(incoming)
    active = active_token(token)
    # RFC 7009 2.2: an invalid token is answered with 200 all the same, for it is as the client wants it.
    if active is not None:
        # RFC 7009 2.1: a token of another client is refused, and the client is told so.
        if active.client_id != client.client_id:
            raise InvalidGrant("The token was given to another client.")
        revoke_token(client, token, active)
    return without_content(200)
