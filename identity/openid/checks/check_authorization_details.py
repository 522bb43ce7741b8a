from identity.openid.authorization_details import read_details
from identity.openid.authorization_request import AuthorizationRequest


def check_authorization_details(asked: AuthorizationRequest) -> None:
    """RFC 9396 5: details that are not understood to the last field are refused."""
    text = asked.one("authorization_details")
    if text is not None:
        asked.authorization_details = read_details(text, asked.client)
