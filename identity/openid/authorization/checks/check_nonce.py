from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MAX_NONCE_CHARACTERS, MalformedRequest


def check_nonce(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `nonce` is passed unmodified into the ID token."""
    nonce = asked.one("nonce")
    if nonce is not None and (len(nonce) > MAX_NONCE_CHARACTERS or not nonce.isprintable()):
        raise MalformedRequest("The nonce is too long or has characters that are not printable.")
    asked.nonce = nonce
