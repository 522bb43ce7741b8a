"""RFC 8628 3.4: a device comes for the tokens that a person allowed on another one."""

from __future__ import annotations

from typing import Any

from identity.openid.grants.device_actions import NotYet, redeem_device_code
from identity.openid.rules import AccessDenied, InvalidGrant, OAuthProblem
from identity.openid.token_endpoint.grant_problems import AuthorizationPending, ExpiredToken, SlowDown
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, tokens_for_person


def tokens_for_device(form: TokenForm) -> dict[str, Any]:
    """Asked again and again, at the pace that the device was told, until the person has decided."""
    issued = redeem_device_code(form.client, form.required("device_code"), form.request())
    if isinstance(issued, NotYet):
        raise _refusal(issued)
    return tokens_for_person(form.client, issued)


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
