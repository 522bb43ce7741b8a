from identity.clients.registry.rules import PERSON_SCOPES
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import InvalidScope


def check_scope(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `openid` is required, and scopes that nobody here understands are ignored.

    RFC 6749 3.3: of the others, those that the client did not register are refused. OIDC Core 11: `offline_access` is
    ignored, not refused, where it may not be had.
    """
    named = frozenset((auth_request.one("scope") or "").split(" "))
    wanted = (named & frozenset(PERSON_SCOPES)) - {"offline_access"}
    if "openid" not in wanted:
        raise InvalidScope("The scope must contain openid.")
    if wanted - auth_request.client.scopes:
        registered = " ".join(sorted(auth_request.client.scopes))
        raise InvalidScope(f"The application is registered for these scopes only: {registered}.")
    auth_request.scopes = wanted | (named & auth_request.client.scopes & {"offline_access"})
