"""POST /openid/par (RFC 9126 2): a client sends its request itself, and the browser carries no more than its name."""

from __future__ import annotations

from identity.openid.authorization import actions
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.checks import PAR, run
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.cross_origin import open_to_browser_applications
from identity.openid.endpoints.oauth_errors import in_oauth_words
from identity.openid.rules import PUSHED_REQUEST_LIFETIME
from identity.openid.token_endpoint.authentication import authenticate, keep_in_bounds
from kernel.http.incoming import Answer, Incoming
from kernel.jobs.access import public

MAX_BODY_BYTES = 65_536


@for_programs("/openid/par", "POST", "OPTIONS", is_hot=True, longest_body=MAX_BODY_BYTES)
@open_to_browser_applications("POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def par(incoming: Incoming) -> Answer:
    """Check the request as /authorize would, keep it for a moment, and answer with the name it has there."""
    auth_request = AuthorizationRequest.of_client(authenticate(incoming), incoming)
    run(PAR, auth_request)
    keep_in_bounds(auth_request.client, incoming)
    pushed = {
        "request_uri": actions.push_request(auth_request.client, auth_request.parameters),
        "expires_in": int(PUSHED_REQUEST_LIFETIME.total_seconds()),
    }
    # RFC 9126 2.2
    return Answer.of_json(pushed, 201, (("Cache-Control", "no-cache, no-store"),))
