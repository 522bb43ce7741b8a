"""Signed request objects (RFC 9101): whose they are, whether they count, and the parameters in them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from identity.clients.client_keys.queries import keys_of
from identity.clients.profiles.rules import PROFILES, SIGNING_ALGORITHMS
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization.decryption import decrypted
from identity.openid.grants.request_problems import InvalidRequestObject
from identity.openid.issuer import issuer
from identity.openid.tokens.proofs.signed import NotSound, Opened, opened

TYPES = ("jwt", "oauth-authz-req+jwt")
LONGEST_LIFE_SECONDS = 3600
NOT_PARAMETERS = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
NESTED = frozenset({"request", "request_uri"})


def parameters_in(request_object: str, client: RegisteredClient, now: datetime) -> dict[str, list[str]]:
    """The parameters that the client signed. Raises InvalidRequestObject.

    now: when it has to be good, which is when it was first shown to us.
    """
    try:
        # RFC 9101 4: signed, and then perhaps encrypted; never only encrypted.
        signed = decrypted(request_object) if request_object.count(".") == 4 else request_object
        jws = opened(signed, allowed_algorithms=_algorithms(client))
        _check_signature(jws, client)
        _check_meaning(jws, client)
        _check_times(jws, now, must_be_short=PROFILES[client.profile].par_required)
    except NotSound as fault:
        raise InvalidRequestObject(f"The request object is not sound. {fault.args[0]}") from fault
    parameters = {name: _texts(value, name) for name, value in jws.claims.items() if name not in NOT_PARAMETERS}
    return {**parameters, "client_id": [client.client_id]}


def _algorithms(client: RegisteredClient) -> tuple[str, ...]:
    # OpenID Connect Registration 2: who registered an algorithm uses no other. RFC 9101 10.5: and never none.
    chosen = client.options.get("request_object_signing_alg")
    return (str(chosen),) if chosen else SIGNING_ALGORITHMS


def _check_signature(request_object: Opened, client: RegisteredClient) -> None:
    kind = request_object.header.get("typ", "jwt")
    # RFC 9101 10.8: a JWT made for something else does not count.
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
        raise NotSound("The typ must be oauth-authz-req+jwt.")
    kid = request_object.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise NotSound("The kid must be a text.")
    if not request_object.is_signed_by(keys_of(client, kid)):
        raise NotSound("No registered key of the client made this signature.")


def _check_meaning(request_object: Opened, client: RegisteredClient) -> None:
    claims = request_object.claims
    audiences = claims.get("aud")
    # RFC 9101 4: for this server and in the name of this client, or it was meant for something else.
    if issuer() not in (audiences if isinstance(audiences, list) else [audiences]):
        raise NotSound("The aud must be this issuer.")
    if claims.get("iss") != client.client_id:
        raise NotSound("The iss must be the client_id.")
    # RFC 9101 4 and 5: the client_id is inside too, and is the one outside.
    if claims.get("client_id") != client.client_id:
        raise NotSound("The client_id must be the one of the request.")
    # RFC 9101 10.8: with a sub it could be a client assertion, which proves more than a request may.
    if claims.get("sub") == client.client_id:
        raise NotSound("The sub must not be the client_id.")
    # RFC 9101 4: no request in a request.
    if NESTED & set(claims):
        raise NotSound("It must not contain request or request_uri.")


def _check_times(request_object: Opened, now: datetime, *, must_be_short: bool) -> None:
    """RFC 7519 4.1.4 to 4.1.6. FAPI 2.0 Message Signing 5.3.1: `nbf` and `exp` at most an hour ago and apart."""
    expires, begins = request_object.time_claim("exp"), request_object.time_claim("nbf")
    request_object.check_begun(now)
    instant = now.timestamp()
    if expires is not None and expires <= instant:
        raise NotSound("It has expired.")
    if not must_be_short:
        return
    if expires is None or begins is None:
        raise NotSound("FAPI 2.0 Message Signing 5.3.1: exp and nbf are required.")
    if instant - begins > LONGEST_LIFE_SECONDS or expires - begins > LONGEST_LIFE_SECONDS:
        raise NotSound("FAPI 2.0 Message Signing 5.3.1: it is older than an hour, or lives longer than that.")


def _texts(value: Any, name: str) -> list[str]:
    """A member as the parameter would be in a query: OIDC Core 6.1 has numbers and objects in their JSON form."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    # RFC 8707 2: the one parameter that may come several times.
    if name == "resource" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    if isinstance(value, dict | list):
        return [json.dumps(value)]
    raise InvalidRequestObject("A member of the request object is neither text, a whole number nor an object.")
