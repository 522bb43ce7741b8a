from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest
from identity.openid.tokens.tokens import verified_id_token

MAX_CHARACTERS = 8_000


def check_id_token_hint(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: an ID token of ours, however old, names the person whom the client expects."""
    hint = auth_request.one("id_token_hint")
    if hint is None:
        return
    claims = verified_id_token(hint) if len(hint) <= MAX_CHARACTERS else None
    if claims is None:
        raise MalformedRequest("The id_token_hint is not an ID token of this issuer.")
    # A sub means something to its client's sector only.
    if auth_request.client.client_id != claims.get("aud"):
        raise MalformedRequest("The id_token_hint was given to another client.")
    if auth_request.subject not in (None, claims.get("sub")):
        raise MalformedRequest("The id_token_hint and the claims name different people.")
    auth_request.subject = str(claims.get("sub"))
