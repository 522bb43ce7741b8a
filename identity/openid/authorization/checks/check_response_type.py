from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest, UnsupportedResponseType


def check_response_type(auth_request: AuthorizationRequest) -> None:
    """RFC 6749 4.1.1: `response_type` is required. RFC 9700 2.1.2: no token travels in a redirect, so only `code`."""
    response_type = auth_request.one("response_type")
    if response_type is None:
        raise MalformedRequest("The parameter response_type is missing.")
    if response_type != "code":
        raise UnsupportedResponseType("RFC 9700 2.1.2: the response_type must be code.")
