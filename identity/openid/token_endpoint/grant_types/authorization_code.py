"""RFC 6749 4.1.3: a code for tokens."""

from __future__ import annotations

import re
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from identity.openid.grants.code_actions import PresentedCode, redeem_code
from identity.openid.rules import InvalidGrant, MalformedRequest
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, tokens_for_person


def tokens_for_code(form: TokenForm) -> dict[str, Any]:
    """Single use, the same redirect_uri, the verifier of the challenge."""
    verifier = form.optional("code_verifier")
    presented_code = PresentedCode(
        form.required("code"), form.optional("redirect_uri"), code_challenge_of(verifier) if verifier else None
    )
    issued = redeem_code(form.client, presented_code, form.request())
    if issued is None:
        raise InvalidGrant("The code was used before. What it gave has been revoked.")
    return tokens_for_person(form.client, issued)


def code_challenge_of(verifier: str) -> str:
    """The S256 of a code_verifier. Raises MalformedRequest."""
    # RFC 7636 4.1: 43 to 128 unreserved characters.
    if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier):
        raise MalformedRequest("The code_verifier is not 43 to 128 unreserved characters.")
    challenge: str = create_s256_code_challenge(verifier)  # type: ignore[no-untyped-call]
    return challenge
