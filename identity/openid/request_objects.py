"""Signed request objects (RFC 9101): whose they are, whether they count, and the parameters in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from identity.client_keys.queries import keys_of
from identity.clients.rules import RegisteredClient
from identity.openid.request_problems import InvalidRequestObject
from identity.profiles.rules import PROFILES, SIGNING_ALGORITHMS
from kernel.http import settings

TYPES = (None, "jwt", "oauth-authz-req+jwt")
MAX_CHARACTERS = 20_000
CLOCK_SKEW_SECONDS = 10
LONGEST_LIFE_SECONDS = 3600
NOT_PARAMETERS = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
NESTED = frozenset({"request", "request_uri"})
FORBIDDEN_HEADERS = frozenset({"crit", "b64", "zip"})


def parameters_in(request_object: str, client: RegisteredClient, now: datetime) -> dict[str, list[str]]:
    """The parameters that the client signed. Raises InvalidRequestObject.

    now: when it has to be good, which is when it was first shown to us.
    """
    claims = _verified(request_object, client)
    issuer = settings().issuer
    audiences = claims.get("aud")
    # RFC 9101 4 and 10.4: for this server and in the name of this client, or it was meant for something else.
    if issuer not in (audiences if isinstance(audiences, list) else [audiences]):
        raise InvalidRequestObject("The aud of the request object is not this issuer.")
    if claims.get("iss") != client.client_id:
        raise InvalidRequestObject("The iss of the request object is not the client_id.")
    # RFC 9101 5: the client_id inside must be the one outside.
    if claims.get("client_id", client.client_id) != client.client_id:
        raise InvalidRequestObject("The client_id of the request object is not the one of the request.")
    # RFC 9101 10.8: with a sub it could be a client assertion, which proves more than a request may.
    if claims.get("sub") == client.client_id:
        raise InvalidRequestObject("The sub of the request object is the client_id.")
    # RFC 9101 4: no request in a request.
    if NESTED & set(claims):
        raise InvalidRequestObject("The request object contains request or request_uri.")
    _check_times(claims, now, must_be_short=PROFILES[client.profile].par_required)
    parameters = {name: _texts(name, value) for name, value in claims.items() if name not in NOT_PARAMETERS}
    return {**parameters, "client_id": [client.client_id]}


def _verified(request_object: str, client: RegisteredClient) -> Mapping[str, Any]:
    if len(request_object) > MAX_CHARACTERS:
        raise InvalidRequestObject("The request object is too long.")
    if request_object.count(".") == 4:
        raise InvalidRequestObject("Encrypted request objects are not accepted.")
    header = _header(request_object)
    algorithm = header.get("alg")
    allowed = _algorithms(client)
    # RFC 8725 3.1, RFC 9101 10.5: only what we name, and never none.
    if algorithm not in allowed:
        raise InvalidRequestObject(f"The alg of the request object must be one of: {', '.join(allowed)}.")
    kind = header.get("typ")
    if kind is not None and (not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES):
        raise InvalidRequestObject("The typ of the request object must be oauth-authz-req+jwt.")
    if FORBIDDEN_HEADERS & set(header):
        raise InvalidRequestObject("The request object has a header that is not accepted.")
    kid = header.get("kid")
    for key in keys_of(client, kid if isinstance(kid, str) else None):
        if (claims := _claims(request_object, key, str(algorithm))) is not None:
            return claims
    raise InvalidRequestObject("The request object is not signed with a registered key of the client.")


def _algorithms(client: RegisteredClient) -> tuple[str, ...]:
    # RFC 7591 and OpenID Connect Registration 2: who registered an algorithm uses no other.
    chosen = client.options.get("request_object_signing_alg")
    return (str(chosen),) if chosen else SIGNING_ALGORITHMS


def _header(request_object: str) -> Mapping[str, Any]:
    try:
        return jws.extract_compact(request_object.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidRequestObject("The request object is not a signed JWT.") from error


def _claims(request_object: str, key: Key, algorithm: str) -> Mapping[str, Any] | None:
    """What the key signed; None if it did not sign this."""
    try:
        payload = jws.deserialize_compact(request_object, key, algorithms=[algorithm]).payload
    except (JoseError, ValueError, TypeError):
        return None
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestObject("The request object is not JSON.") from error
    if not isinstance(found, dict):
        raise InvalidRequestObject("The request object is not a JSON object.")
    return found


def _check_times(claims: Mapping[str, Any], now: datetime, *, must_be_short: bool) -> None:
    """RFC 7519 4.1.4 to 4.1.6. FAPI 2.0 Message Signing 5.3.1: `nbf` and `exp` at most an hour ago and apart."""
    instant = now.timestamp()
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in times.values()):
        raise InvalidRequestObject("The exp, nbf and iat of a request object are numbers.")
    if "exp" in times and times["exp"] <= instant:
        raise InvalidRequestObject("The request object has expired.")
    if any(times.get(name, 0) > instant + CLOCK_SKEW_SECONDS for name in ("nbf", "iat")):
        raise InvalidRequestObject("The request object is from the future.")
    if must_be_short:
        if "exp" not in times or "nbf" not in times:
            raise InvalidRequestObject("This profile requires exp and nbf in a request object.")
        if instant - times["nbf"] > LONGEST_LIFE_SECONDS or times["exp"] - times["nbf"] > LONGEST_LIFE_SECONDS:
            raise InvalidRequestObject("The request object is older than an hour, or lives longer than that.")


def _texts(name: str, value: Any) -> list[str]:
    """A member as the parameter would be in a query: OIDC Core 6.1 has numbers and objects in their JSON form."""
    if name == "resource" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    if isinstance(value, str):
        return [value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, dict | list):
        return [json.dumps(value)]
    raise InvalidRequestObject("A member of the request object is neither text, a whole number nor an object.")
