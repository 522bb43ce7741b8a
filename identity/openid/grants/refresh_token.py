"""RFC 6749 6: a refresh token for new tokens."""

from __future__ import annotations

from typing import Any

from identity.openid.grant_actions import refresh
from identity.openid.grants.token_request import TokenGrant
from identity.openid.rules import InvalidGrant


class RefreshTokenGrant(TokenGrant):
    """Where the profile rotates, each refresh token works once and brings the next (RFC 9700 4.14.2)."""

    GRANT_TYPE = "refresh_token"

    def create_token_response(self) -> Any:
        issued = refresh(self.request.client, self.required("refresh_token"), self.wanted())
        if issued is None:
            raise InvalidGrant("The refresh token was used before. The whole family has been revoked.")
        return self.answer_for_person(issued)
