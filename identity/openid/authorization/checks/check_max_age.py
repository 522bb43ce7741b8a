import re

from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_max_age(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `max_age` in seconds; OIDC Registration 2: what the client registered where it is missing."""
    max_age = auth_request.one("max_age")
    if max_age is None:
        default = auth_request.client.options.get("default_max_age")
        auth_request.max_age = int(default) if default is not None else None
        return
    if not re.fullmatch(r"[0-9]{1,9}", max_age):
        raise MalformedRequest("The max_age must be a number of seconds.")
    auth_request.max_age = int(max_age)
