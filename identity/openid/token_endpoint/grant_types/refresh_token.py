"""RFC 6749 6: a refresh token for new tokens."""

from __future__ import annotations

from typing import Any

from identity.openid.grants.grant_actions import refresh
from identity.openid.rules import InvalidGrant
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, tokens_for_person


def refreshed_tokens(form: TokenForm) -> dict[str, Any]:
    """The refresh token grant; where the profile rotates, each token works once and brings the next (RFC 9700
    4.14.2).
    """
    issued = refresh(form.client, form.required("refresh_token"), form.request())
    if issued is None:
        raise InvalidGrant("The refresh token was used before. The whole family has been revoked.")
    return tokens_for_person(form.client, issued)
