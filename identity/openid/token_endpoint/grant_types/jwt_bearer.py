"""RFC 7523 2.1: a JWT that a system signed, as a grant for its own access token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from identity.clients.client_keys.queries import keys_of
from identity.clients.registry.actions import use_once
from identity.clients.registry.rules import RegisteredClient
from identity.openid.issuer import issuer
from identity.openid.rules import InvalidGrant
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, token_for_system
from identity.openid.tokens.proofs.signed import MAX_CHARACTERS, MAX_JTI_CHARACTERS, NotSound, Opened, opened
from kernel.base import clock

LONGEST_LIFE_SECONDS = 3600


def token_for_assertion(form: TokenForm) -> dict[str, Any]:
    """Beside authenticating, the client signs what it asks for. It speaks for its own account, never for people."""
    try:
        _check(form.client, opened(form.required("assertion", MAX_CHARACTERS)))
    except NotSound as fault:
        raise InvalidGrant(f"assertion: {fault}") from fault
    return token_for_system(form)


def _check(client: RegisteredClient, assertion: Opened) -> None:
    """RFC 7523 3. Raises NotSound."""
    # (1) and (2): the issuer is the client, and so is whom it is about.
    if not assertion.text_claim("iss", 64) == assertion.text_claim("sub", 64) == client.client_id:
        raise NotSound("The iss and the sub must both be the client_id.")
    audience = assertion.claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    allowed = (issuer(), f"{issuer()}/token")
    # RFC 7523 3 (3); draft-ietf-oauth-rfc7523bis 7: and nobody else's, who could show it to us.
    if not named or not all(one in allowed for one in named):
        raise NotSound(f"The aud must be {issuer()}, and nobody else beside it.")
    kind = assertion.header.get("typ")
    # RFC 8725 3.11
    if kind is not None and kind not in ("JWT", "jwt", "authorization-grant+jwt"):
        raise NotSound("The typ is of another kind of JWT.")
    now = clock.now()
    expires = assertion.time_claim("exp")
    # RFC 7523 3 (4)
    if expires is None or not now.timestamp() < expires <= now.timestamp() + LONGEST_LIFE_SECONDS:
        raise NotSound("The exp must be there, in the future, and at most an hour ahead.")
    assertion.check_begun(now)
    kid = assertion.header.get("kid")
    # RFC 7523 3 (9)
    if not assertion.is_signed_by(keys_of(client, kid if isinstance(kid, str) else None)):
        raise NotSound("No registered key of the client made this signature.")
    # RFC 7523 3 (7)
    jti = assertion.text_claim("jti", MAX_JTI_CHARACTERS)
    if not use_once("grant", client.client_id, jti, datetime.fromtimestamp(expires, UTC)):
        raise NotSound("It was used before (jti).")
