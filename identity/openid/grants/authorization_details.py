"""Rich authorization requests (RFC 9396): which types there are, what each may contain, what it says in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from identity.clients.registry.rules import RegisteredClient
from identity.openid.grants.request_problems import InvalidAuthorizationDetails
from identity.ports import AgreementInForce, agreement_in_force
from kernel.base.errors import _

Detail = dict[str, Any]
MOST_DETAILS = 10
MAX_CHARACTERS = 10_000
AGREEMENT = "urn:cordillera:agreement"
ACTIONS: Mapping[str, Any] = {
    "read": _("consult your data"),
    "write": _("register or change your data"),
}


@dataclass(frozen=True)
class InPlainWords:
    """A detail as the person who decides reads it."""

    title: Any
    purpose: str
    actions: tuple[Any, ...]


@dataclass(frozen=True)
class DetailType:
    """RFC 9396 2: what a type may contain, for whom it is, how it is told, and whether one detail holds another."""

    schema: Draft202012Validator
    check: Callable[[Detail, RegisteredClient], None]
    tell: Callable[[Detail], InPlainWords]
    covers: Callable[[Detail, Detail], bool]


def read_details(text: str, client: RegisteredClient) -> tuple[Detail, ...]:
    """The details that the client asks for. Raises InvalidAuthorizationDetails for anything that is not understood."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidAuthorizationDetails("The authorization_details are too long.")
    try:
        details = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidAuthorizationDetails("The authorization_details are not JSON.") from error
    if not isinstance(details, list) or not 1 <= len(details) <= MOST_DETAILS:
        raise InvalidAuthorizationDetails(f"The authorization_details are not an array of 1 to {MOST_DETAILS} objects.")
    for detail in details:
        _check(detail, client)
    return tuple(details)


def _check(detail: Any, client: RegisteredClient) -> None:
    kind = TYPES.get(str(detail.get("type"))) if isinstance(detail, dict) else None
    # RFC 9396 5: an unknown type is refused.
    if kind is None:
        raise InvalidAuthorizationDetails(f"The type of each detail must be one of: {', '.join(TYPES)}.")
    # RFC 9396 5: and so are unknown fields, wrong types and values, and missing fields.
    if (fault := next(kind.schema.iter_errors(detail), None)) is not None:
        place = str(fault.path[0]) if fault.path else "detail"
        raise InvalidAuthorizationDetails(f"The {place} is missing something or has what its type does not allow.")
    kind.check(detail, client)


def check_covered(wanted: Sequence[Detail], granted: Sequence[Detail]) -> None:
    """RFC 9396 6: a token may be for less than what the person agreed to. Raises InvalidAuthorizationDetails."""
    for detail in wanted:
        if not any(TYPES[detail["type"]].covers(one, detail) for one in granted if one["type"] == detail["type"]):
            raise InvalidAuthorizationDetails("RFC 9396 6: one of the authorization_details was not granted.")


def in_plain_words(details: Sequence[Detail]) -> list[InPlainWords]:
    """Put details into words that the person reads before deciding."""
    return [TYPES[detail["type"]].tell(detail) for detail in details]


def titles_in_force(details: Sequence[Detail]) -> list[Any]:
    """List the details that a person agreed to before, without those that have ended meanwhile."""
    agreements = [agreement_in_force(detail["identifier"]) for detail in details if detail["type"] == AGREEMENT]
    return [_titled(agreement) for agreement in agreements if agreement is not None]


def _check_agreement(detail: Detail, client: RegisteredClient) -> None:
    agreement = agreement_in_force(detail["identifier"])
    # The same answer for one that does not exist: nobody learns of other agencies' agreements.
    if agreement is None or client.agency_code is None or agreement.consumer != client.agency_code:
        raise InvalidAuthorizationDetails("The identifier is no active agreement of the client's agency.")


def _tell_agreement(detail: Detail) -> InPlainWords:
    agreement = agreement_in_force(detail["identifier"])
    if agreement is None:
        raise InvalidAuthorizationDetails("The agreement is no longer active.")
    return InPlainWords(
        title=_titled(agreement),
        purpose=agreement.purpose,
        actions=tuple(ACTIONS[action] for action in _actions(detail)),
    )


def _actions(detail: Detail) -> list[str]:
    """List the actions on the data: only reading where nothing is said."""
    actions: list[str] = detail.get("actions", ["read"])
    return actions


def _covers_agreement(granted: Detail, wanted: Detail) -> bool:
    return granted["identifier"] == wanted["identifier"] and set(_actions(wanted)) <= set(_actions(granted))


def _titled(agreement: AgreementInForce) -> Any:
    return _("%(service)s, of %(agency)s", service=agreement.service_name, agency=agreement.owner_name)


TYPES: Mapping[str, DetailType] = {
    AGREEMENT: DetailType(
        schema=Draft202012Validator(
            {
                "type": "object",
                "required": ["type", "identifier"],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": AGREEMENT},
                    "identifier": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}-[0-9]{6,9}$", "maxLength": 20},
                    "actions": {
                        "type": "array",
                        "items": {"enum": list(ACTIONS)},
                        "minItems": 1,
                        "uniqueItems": True,
                    },
                },
            }
        ),
        check=_check_agreement,
        tell=_tell_agreement,
        covers=_covers_agreement,
    )
}
