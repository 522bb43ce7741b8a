import re
from datetime import UTC, datetime

from identity.openid.authorization_request import SIGNED_IN_SINCE, AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_max_age(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `max_age` in seconds. Ours beside it: since when a sign-in counts as new (`prompt=login`)."""
    max_age = asked.one("max_age")
    if max_age is not None:
        if not re.fullmatch(r"[0-9]{1,9}", max_age):
            raise MalformedRequest("The max_age must be a number of seconds.")
        asked.max_age = int(max_age)
    since = asked.one(SIGNED_IN_SINCE) or ""
    if re.fullmatch(r"[0-9]{1,11}", since):
        asked.signed_in_since = datetime.fromtimestamp(int(since), UTC)
