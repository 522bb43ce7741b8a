"""Metadata of authorization requests (RFC 8414 2, OIDC Discovery 3, RFC 9101 4, RFC 9126 5, RFC 9396 10)."""

from __future__ import annotations

from typing import Any

from identity.clients.profiles.rules import (
    AGREED_KEY_ENCRYPTIONS,
    CONTENT_ENCRYPTIONS,
    RESPONSE_MODES,
    SIGNING_ALGORITHMS,
)
from identity.openid.authorization.checks.check_prompt import PROMPTS
from identity.openid.grants.authorization_details import TYPES
from identity.openid.grants.step_up import LEVELS
from kernel.http.i18n import LANGUAGES


def request_metadata(issuer: str) -> dict[str, Any]:
    """The members that the authorization endpoint and its checks are described by."""
    return {
        "authorization_endpoint": f"{issuer}/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        # RFC 9126 5: a matter of the client's profile, not of everyone.
        "require_pushed_authorization_requests": False,
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": list(PROMPTS),
        "ui_locales_supported": list(LANGUAGES),
        "acr_values_supported": list(LEVELS),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "request_object_encryption_alg_values_supported": list(AGREED_KEY_ENCRYPTIONS),
        "request_object_encryption_enc_values_supported": list(CONTENT_ENCRYPTIONS),
        "require_signed_request_object": False,
        # OIDC Discovery 3: this is about addresses of others, which we do not fetch.
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "authorization_details_types_supported": list(TYPES),
    }
