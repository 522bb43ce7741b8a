from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest

USUAL = "query"
"""OAuth 2.0 Multiple Response Types 2.1: for `code` the answer is in the query unless asked otherwise."""


def sound_response_mode(auth_request: AuthorizationRequest) -> str:
    """The `response_mode`, if there is one that can be used: what is wrong with others is told in the query."""
    modes = [mode for mode in auth_request.all("response_mode") if mode]
    return modes[0] if len(modes) == 1 and modes[0] in auth_request.profile.response_modes else USUAL


def check_response_mode(auth_request: AuthorizationRequest) -> None:
    """OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode 2, JARM 2.3: one that the profile allows."""
    auth_request.response_mode = sound_response_mode(auth_request)
    modes = [mode for mode in auth_request.all("response_mode") if mode]
    if len(modes) > 1:
        raise MalformedRequest("The response_mode came more than once.")
    if modes and modes[0] not in auth_request.profile.response_modes:
        rule = auth_request.profile.rules.get("response_modes", "OAuth 2.0 Multiple Response Types 2.1")
        raise MalformedRequest(
            f"{rule}: the response_mode must be one of: {', '.join(auth_request.profile.response_modes)}."
        )
