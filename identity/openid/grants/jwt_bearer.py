"""RFC 7523 2.1: a JWT that a system signed, as a grant for its own access token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from identity.clients.client_keys.queries import keys_of
from identity.clients.registry.actions import use_once
from identity.clients.registry.rules import JWT_BEARER, RegisteredClient
from identity.openid.grants.token_request import TokenGrant
from identity.openid.parameters import required
from identity.openid.proofs.signed import MAX_CHARACTERS, MAX_JTI_CHARACTERS, NotSound, Opened, opened
from identity.openid.rules import InvalidGrant, InvalidScope
from kernel.base import clock
from kernel.base.installation import settings

LONGEST_LIFE_SECONDS = 3600


class JwtBearerGrant(TokenGrant):
    """Beside authenticating, the client signs what it asks for. It speaks for its own account, never for people."""

    GRANT_TYPE = JWT_BEARER

    def create_token_response(self) -> Any:
        client: RegisteredClient = self.request.client
        try:
            _check(client, opened(required(self.request.payload.data, "assertion", MAX_CHARACTERS)))
        except NotSound as fault:
            raise InvalidGrant(f"assertion: {fault}") from fault
        asked = self.scopes()
        scopes = client.scopes if asked is None else asked
        # RFC 6749 3.3
        if scopes - client.scopes:
            raise InvalidScope("The system is not registered for one of the scopes.")
        return self.answer_for_system(scopes)


def _check(client: RegisteredClient, assertion: Opened) -> None:
    """RFC 7523 3. Raises NotSound."""
    # (1) and (2): the issuer is the client, and so is whom it is about.
    if not assertion.text_claim("iss", 64) == assertion.text_claim("sub", 64) == client.client_id:
        raise NotSound("The iss and the sub must both be the client_id.")
    audience = assertion.claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    allowed = (settings().issuer, f"{settings().issuer}/token")
    # RFC 7523 3 (3); draft-ietf-oauth-rfc7523bis 7: and nobody else's, who could show it to us.
    if not named or not all(one in allowed for one in named):
        raise NotSound(f"The aud must be {settings().issuer}, and nobody else beside it.")
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
