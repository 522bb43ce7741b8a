"""`private_key_jwt`: a client proves who it is with a JWT that it signed (RFC 7523 3, OIDC Core 9)."""

from __future__ import annotations

from datetime import UTC, datetime

from identity.clients.client_keys.queries import keys_of
from identity.clients.profiles.rules import PROFILES
from identity.clients.registry.actions import use_once
from identity.clients.registry.queries import known_client, registered_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.issuer import issuer as own_issuer
from identity.openid.tokens.proofs.signed import MAX_JTI_CHARACTERS, NotSound, Opened, opened
from kernel.base import clock
from kernel.base.installation import settings
from kernel.http.incoming import Incoming

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE_SECONDS = 3600
TYPES = (None, "jwt", "client-authentication+jwt")


def client_of_assertion(incoming: Incoming) -> RegisteredClient | None:
    """The client that signed the request's assertion, None for an unknown one. Raises NotSound, which says why not."""
    # RFC 7521 4.2
    if incoming.form.get("client_assertion_type") != ASSERTION_TYPE:
        raise NotSound(f"The client_assertion_type must be {ASSERTION_TYPE}.")
    assertion = opened(incoming.form.get("client_assertion", ""))
    kind = assertion.header.get("typ")
    # RFC 8725 3.11: a JWT made for something else does not count.
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in TYPES):
        raise NotSound("The typ is of another kind of JWT.")
    # RFC 7523 3 (1) and (2): issuer and subject are the client.
    client_id = assertion.text_claim("sub", 64)
    if assertion.claims.get("iss") != client_id:
        raise NotSound("The iss and the sub must both be the client_id.")
    # RFC 7521 4.2: the client_id beside it is optional, and the same.
    if incoming.form.get("client_id", client_id) != client_id:
        raise NotSound("The client_id in the form is not the sub of the assertion.")
    client = _signer(client_id, assertion)
    if client is not None:
        _check(client, assertion, clock.now(), incoming.path)
    return client


def _signer(client_id: str, assertion: Opened) -> RegisteredClient | None:
    """The client as this process remembers it, or as it is now: another process may just have changed its keys."""
    kid = assertion.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise NotSound("The kid must be a text.")
    for read in (known_client, registered_client):
        client = read(client_id)
        if client is None:
            return None
        registered = client.options.get("token_endpoint_auth_signing_alg")
        if registered is not None and assertion.algorithm != registered:
            raise NotSound(f"The client registered the alg {registered}.")
        if assertion.is_signed_by(keys_of(client, kid)):
            return client
    raise NotSound("No registered key of the client made this signature.")


def _check(client: RegisteredClient, assertion: Opened, now: datetime, path: str) -> None:
    _check_audience(client, assertion.claims.get("aud"), path)
    expires = assertion.time_claim("exp")
    # RFC 7523 3 (4)
    if expires is None:
        raise NotSound("The exp is missing.")
    if expires <= now.timestamp():
        raise NotSound("It has expired.")
    if expires > now.timestamp() + LONGEST_LIFE_SECONDS:
        raise NotSound("The exp is more than an hour ahead.")
    assertion.check_begun(now)
    # RFC 7523 3 (7), and OIDC Core 9, which requires it.
    jti = assertion.text_claim("jti", MAX_JTI_CHARACTERS)
    if not use_once("assertion", client.client_id, jti, datetime.fromtimestamp(expires, UTC)):
        raise NotSound("It was used before (jti).")


def _check_audience(client: RegisteredClient, audience: object, path: str) -> None:
    issuer = own_issuer()
    profile = PROFILES.get(client.profile)
    if profile is not None and profile.issuer_is_only_audience:
        if audience != issuer:
            raise NotSound(f"{profile.rules['issuer_is_only_audience']}: the aud must be the text {issuer}.")
        return
    # RFC 7523 3 (3), RFC 9126 2: the issuer, the token endpoint, or the endpoint that is called.
    allowed = {issuer}
    for address in settings().addresses:
        allowed |= {f"{address}/openid/token", f"{address}{path.rstrip('/')}"}
    named = audience if isinstance(audience, list) else [audience]
    # draft-ietf-oauth-rfc7523bis 7: an assertion that is for somebody else as well may be shown to us by them.
    if not named or not all(isinstance(one, str) and one.rstrip("/") in allowed for one in named):
        raise NotSound(f"The aud must be {issuer}, and nobody else beside it.")
