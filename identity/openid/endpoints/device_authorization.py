"""POST /openid/device_authorization (RFC 8628 3.1)."""

from __future__ import annotations

from identity.clients.registry.rules import DEVICE_CODE
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.checks import DEVICE, run
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.oauth_errors import in_oauth_words
from identity.openid.grants.device_actions import DEVICE_CODE_LIFETIME, INTERVAL_SECONDS, start_device
from identity.openid.grants.device_codes import PAGE
from identity.openid.rules import UnauthorizedClient
from identity.openid.token_endpoint.authentication import authenticate, keep_in_bounds
from kernel.base.installation import settings
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.jobs.access import public


@for_programs("/openid/device_authorization", "POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def device_authorization(incoming: Incoming) -> Answer:
    """Check what the device asks for, and give it a code to show and a code to come back with."""
    client = authenticate(incoming)
    if DEVICE_CODE not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for devices.")
    auth_request = AuthorizationRequest.of_client(client, incoming)
    run(DEVICE, auth_request)
    keep_in_bounds(client, incoming)
    started = start_device(auth_request)
    page = settings().base_url + PAGE
    # RFC 8628 3.2
    codes = {
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={started.user_code}",
        "expires_in": int(DEVICE_CODE_LIFETIME.total_seconds()),
        "interval": INTERVAL_SECONDS,
    }
    return Answer.of_json(codes, headers=(NOT_KEPT,))
