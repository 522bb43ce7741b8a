"""The claims parameter (OIDC Core 5.5): single claims, asked for by name, to be told at userinfo or in the ID token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from identity.openid.rules import MAX_PARAMETER_CHARACTERS, MalformedRequest

SCOPES_OF: Mapping[str, tuple[str, ...]] = {
    "RolUnico": ("run",),
    "name": ("name", "profile"),
    "given_name": ("name", "profile"),
    "family_name": ("name", "profile"),
    "email": ("email",),
    "email_verified": ("email",),
}
"""The scopes that cover each claim about a person: agreeing to one of them is agreeing to the claim."""

Members = Mapping[str, Any]


@dataclass(frozen=True)
class RequestedClaims:
    """Claims that the client may have in each place, by what it registered; and what it demands of `sub` and `acr`."""

    userinfo: tuple[str, ...] = ()
    id_token: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    """The scopes that the person is asked to agree to for these claims."""
    subject: str | None = None
    acr: tuple[str, ...] = ()
    acr_is_essential: bool = False

    def as_row(self) -> dict[str, list[str]]:
        """The names that are stored with the code, for each place that has some."""
        places = {"userinfo": self.userinfo, "id_token": self.id_token}
        return {place: list(names) for place, names in places.items() if names}


def read_claims(text: str, registered: Iterable[str]) -> RequestedClaims:
    """The request in a claims parameter of a client with the `registered` scopes. Raises MalformedRequest.

    OIDC Core 5.5: members that are not understood are ignored, and so are claims that the client may not have.
    """
    if len(text) > 2 * MAX_PARAMETER_CHARACTERS:
        raise MalformedRequest("The claims are too long.")
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The claims are not JSON.") from error
    if not isinstance(claims, dict):
        raise MalformedRequest("The claims are not a JSON object.")
    places = {place: _members(claims.get(place), place) for place in ("userinfo", "id_token")}
    allowed = frozenset(registered)
    allowed_claims = {
        place: tuple(name for name in members if _cover(name, allowed)) for place, members in places.items()
    }
    acr = places["id_token"].get("acr") or {}
    return RequestedClaims(
        userinfo=allowed_claims["userinfo"],
        id_token=allowed_claims["id_token"],
        scopes=frozenset(
            scope for names in allowed_claims.values() for name in names if (scope := _cover(name, allowed))
        ),
        subject=_subject([members.get("sub") for members in places.values()]),
        acr=tuple(_values(acr)),
        acr_is_essential=acr.get("essential") is True,
    )


def _cover(claim: str, registered: frozenset[str]) -> str | None:
    return next((scope for scope in SCOPES_OF.get(claim, ()) if scope in registered), None)


def _members(value: Any, place: str) -> Members:
    """OIDC Core 5.5.1: for each claim null, or an object with `essential`, `value` or `values`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequest(f"The {place} of the claims is not a JSON object.")
    for request in value.values():
        if request is not None and not isinstance(request, dict):
            raise MalformedRequest(f"A claim in the {place} of the claims is neither null nor a JSON object.")
        if request and not isinstance(request.get("essential", False), bool):
            raise MalformedRequest("The essential of a claim is neither true nor false.")
        if request and not isinstance(request.get("values", []), list):
            raise MalformedRequest("The values of a claim are not a JSON array.")
    return value


def _values(request: Members) -> list[str]:
    values = [request["value"]] if "value" in request else request.get("values", [])
    if not all(isinstance(value, str) for value in values):
        raise MalformedRequest("The value of a claim is not a string.")
    return list(values)


def _subject(requests: Iterable[Members | None]) -> str | None:
    """OIDC Core 5.5.1 and 3.1.2.1: with `sub` by value the client wants this very person or nobody."""
    wanted = {value for request in requests for value in _values(request or {})}
    if len(wanted) > 1:
        raise MalformedRequest("The claims ask for more than one sub.")
    return next(iter(wanted), None)


def told_by_name(row: Mapping[str, list[str]], place: str, everything: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that could be told of the person, what the claims kept with a code ask to be told in this place."""
    return {name: everything[name] for name in row.get(place, ()) if name in everything}


def scopes_covering(row: Mapping[str, list[str]], registered: Iterable[str]) -> frozenset[str]:
    """The scopes behind the claims kept with a code."""
    allowed = frozenset(registered)
    return frozenset(scope for names in row.values() for name in names if (scope := _cover(name, allowed)))
