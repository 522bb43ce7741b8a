from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MAX_NONCE_CHARACTERS, MalformedRequest


def check_nonce(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `nonce` is passed unmodified into the ID token."""
    nonce = auth_request.one("nonce")
    if nonce is not None and (len(nonce) > MAX_NONCE_CHARACTERS or not nonce.isprintable()):
        raise MalformedRequest("The nonce is too long or has characters that are not printable.")
    auth_request.nonce = nonce
