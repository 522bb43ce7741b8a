from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.authorization_details import read_details


def check_authorization_details(auth_request: AuthorizationRequest) -> None:
    """RFC 9396 5: details that are not understood to the last field are refused."""
    text = auth_request.one("authorization_details")
    if text is not None:
        auth_request.authorization_details = read_details(text, auth_request.client)
