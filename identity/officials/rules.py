"""The functions that officials hold in an agency, and the roles that follow from them while they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from identity.agencies.rules import clean_norm
from kernel.base.errors import Conflict, Invalid, Text, _

ADMINISTRATOR = "administrator"
PUBLISHER = "publisher"
CORRESPONDENT = "correspondent"
AUTHORITY = "authority"


@dataclass(frozen=True)
class Function:
    """A function in an agency, and the roles that follow from it.

    is_single: whether one person at a time holds it, by an appointment that a norm or a resolution stands behind;
    others stand in as deputies. law: the one that it serves.
    """

    title: Text
    description: Text
    roles: frozenset[str] = frozenset()
    is_single: bool = False
    law: str = ""


FUNCTIONS: Mapping[str, Function] = {
    "head": Function(
        _("Head of service"),
        _("answers for the agency, and may do all that an administrator may"),
        frozenset({ADMINISTRATOR}),
        is_single=True,
    ),
    "digital_officer": Function(
        _("Digital transformation coordinator"),
        _("leads digital transformation; services and agreements"),
        frozenset({PUBLISHER}),
        is_single=True,
        law="Ley 21.180",
    ),
    "data_protection_officer": Function(
        _("Data protection officer"), _("watches over personal data"), is_single=True, law="Ley 21.719"
    ),
    "security_officer": Function(
        _("Security officer"), _("answers for cyber security"), is_single=True, law="Ley 21.663"
    ),
    ADMINISTRATOR: Function(_("Administrator"), _("manages functions and systems"), frozenset({ADMINISTRATOR})),
    PUBLISHER: Function(_("Publisher"), _("services and agreements"), frozenset({PUBLISHER})),
    CORRESPONDENT: Function(_("Correspondent"), _("official communications"), frozenset({CORRESPONDENT})),
}
"""Functions of officials; each is a role too, so that pages may be for one function alone."""


class RoleAlreadyHeld(Conflict):
    kind = "role-already-held"
    title = _("This person already has this role")
    explanation = _("The person holds this role at the agency. Nothing was changed.")
    remedy = _("Choose another role, or leave it as it is.")


class FunctionTaken(Conflict):
    kind = "function-taken"
    title = _("Somebody else holds this function")
    explanation = _("One person at a time holds it, and in this term it is another one.")
    remedy = _("End that appointment first, choose another term, or appoint this person as deputy.")


class LastAdministrator(Conflict):
    kind = "last-administrator"
    title = _("An agency needs an administrator")
    explanation = _("This person is the agency's only administrator. Without one, nobody could manage its members.")
    remedy = _("Make another person administrator first.")


def check_function(function: str) -> str:
    """One of the functions. Raises Invalid."""
    if function not in FUNCTIONS:
        raise Invalid(fields={"function": [_("Choose one of the functions.")]})
    return function


def check_norm_of(function: str, norm: str) -> str:
    """The norm behind an appointment. Raises Invalid where the function wants one and none is named."""
    cleaned = clean_norm(norm)
    if FUNCTIONS[function].is_single and not cleaned:
        raise Invalid(fields={"norm": [_("Name the norm or resolution of the appointment: this function wants one.")]})
    return cleaned


def effective_roles(functions: frozenset[str], *, is_authority: bool) -> frozenset[str]:
    """The roles of whoever holds the functions, with `authority` for administrators of the digital-government
    authority.
    """
    roles = functions.union(*(FUNCTIONS[name].roles for name in functions if name in FUNCTIONS))
    return roles | {AUTHORITY} if is_authority and ADMINISTRATOR in roles else roles


def functions_with(role: str) -> tuple[str, ...]:
    """The functions from which a role follows, itself among them if it is one."""
    return tuple(name for name, function in FUNCTIONS.items() if role == name or role in function.roles)
