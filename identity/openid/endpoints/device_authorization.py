"""POST /openid/device_authorization (RFC 8628 3.1)."""

from __future__ import annotations

from flask import Response, jsonify, url_for

from identity.openid.authentication import authenticate, keep_in_bounds
from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.checks import DEVICE, run
from identity.openid.device_actions import INTERVAL_SECONDS, LIVES, start_device
from identity.openid.endpoints import for_programs
from identity.openid.grants.device_code import DeviceCodeGrant
from identity.openid.oauth_errors import in_oauth_words
from identity.openid.rules import UnauthorizedClient
from kernel.base.installation import settings
from kernel.jobs.access import public


@for_programs("/openid/device_authorization", "POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def device_authorization() -> Response:
    """Check what the device asks for, and give it a code to show and a code to come back with."""
    client = authenticate()
    if DeviceCodeGrant.GRANT_TYPE not in client.grant_types:
        raise UnauthorizedClient("The client is not registered for devices.")
    asked = AuthorizationRequest.of_client(client)
    run(DEVICE, asked)
    keep_in_bounds(client)
    started = start_device(asked)
    page = settings().base_url + url_for("openid.device")
    # RFC 8628 3.2
    answer = jsonify(
        device_code=started.device_code,
        user_code=started.user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={started.user_code}",
        expires_in=int(LIVES.total_seconds()),
        interval=INTERVAL_SECONDS,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
