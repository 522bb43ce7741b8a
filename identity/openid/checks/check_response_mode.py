from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_response_mode(asked: AuthorizationRequest) -> None:
    """OAuth 2.0 Multiple Response Types 2.1: for `code` the answer is in the query unless asked otherwise."""
    if asked.one("response_mode") not in (None, "query"):
        raise MalformedRequest("The response_mode must be query.")
