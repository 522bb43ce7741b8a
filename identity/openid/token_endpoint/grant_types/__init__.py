"""The grants that are offered, one file each: what a token request asks for, and the answer to it (RFC 6749 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from identity.clients.registry.rules import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from identity.openid.token_endpoint.grant_types.authorization_code import tokens_for_code
from identity.openid.token_endpoint.grant_types.device_code import tokens_for_device
from identity.openid.token_endpoint.grant_types.jwt_bearer import token_for_assertion
from identity.openid.token_endpoint.grant_types.refresh_token import refreshed_tokens
from identity.openid.token_endpoint.grant_types.token_exchange import exchanged_token
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, token_for_system

GRANTS: Mapping[str, Callable[[TokenForm], dict[str, Any]]] = {
    "authorization_code": tokens_for_code,
    "refresh_token": refreshed_tokens,
    # RFC 6749 4.4
    "client_credentials": token_for_system,
    DEVICE_CODE: tokens_for_device,
    TOKEN_EXCHANGE: exchanged_token,
    JWT_BEARER: token_for_assertion,
}
"""By their `grant_type`."""
