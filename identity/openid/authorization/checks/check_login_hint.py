import re

from identity.openid.authorization.authorization_request import AuthorizationRequest


def check_login_hint(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: a hint of who will sign in, used if it looks like a RUN. No hint is an error."""
    hint = (auth_request.one("login_hint") or "").strip()
    auth_request.login_hint = hint if re.fullmatch(r"[0-9.]{1,12}-?[0-9Kk]", hint) else None
