"""RFC 8628 3.4: a device comes for the tokens that a person allowed on another one."""

from __future__ import annotations

from typing import Any

from identity.clients.registry.rules import DEVICE_CODE
from identity.openid.device_actions import NotYet, redeem_device_code
from identity.openid.grant_problems import AuthorizationPending, ExpiredToken, SlowDown
from identity.openid.grants.token_request import TokenGrant
from identity.openid.rules import AccessDenied, InvalidGrant, OAuthProblem


class DeviceCodeGrant(TokenGrant):
    """Asked again and again, at the pace that the device was told, until the person has decided."""

    GRANT_TYPE = DEVICE_CODE

    def create_token_response(self) -> Any:
        issued = redeem_device_code(self.request.client, self.required("device_code"), self.wanted())
        if isinstance(issued, NotYet):
            raise _refusal(issued)
        return self.answer_for_person(issued)


def _refusal(reason: NotYet) -> OAuthProblem:
    match reason:
        case NotYet.PENDING:
            return AuthorizationPending("Nobody has decided yet.")
        case NotYet.SLOW_DOWN:
            return SlowDown("Wait five seconds longer between two requests.")
        case NotYet.EXPIRED:
            return ExpiredToken("The codes are no longer good.")
        case NotYet.DENIED:
            return AccessDenied("The person did not agree.")
        case NotYet.REPLAYED:
            return InvalidGrant("The device_code was used before. What it gave has been revoked.")
