from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import InvalidScope


def check_scope(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `openid` is required. RFC 6749 3.3: scopes that the client did not register are refused.

    OIDC Core 11: `offline_access` is ignored, not refused, where it may not be had.
    """
    wanted = frozenset((asked.one("scope") or "").split(" ")) - {"", "offline_access"}
    if "openid" not in wanted:
        raise InvalidScope("The scope must contain openid.")
    if wanted - asked.client.scopes:
        registered = " ".join(sorted(asked.client.scopes))
        raise InvalidScope(f"The application is registered for these scopes only: {registered}.")
    offline = "offline_access" in (asked.one("scope") or "").split(" ") and "offline_access" in asked.client.scopes
    asked.scopes = wanted | {"offline_access"} if offline else wanted
