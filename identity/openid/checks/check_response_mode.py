from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_response_mode(asked: AuthorizationRequest) -> None:
    """OAuth 2.0 Multiple Response Types 2.1: for `code` the answer is in the query unless asked otherwise."""
    asked.response_mode = "query"
    modes = [mode for mode in asked.all("response_mode") if mode]
    if len(modes) > 1:
        raise MalformedRequest("The response_mode came more than once.")
    if modes and modes[0] not in asked.profile.response_modes:
        rule = asked.profile.rules.get("response_modes", "OAuth 2.0 Multiple Response Types 2.1")
        raise MalformedRequest(f"{rule}: the response_mode must be one of: {', '.join(asked.profile.response_modes)}.")
    if modes:
        asked.response_mode = modes[0]
