"""The functions that officials hold in an agency, and the roles that follow from them while they do.

The state's own functions stand here; the rest are the roles that capabilities declare (`kernel.base.roles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from identity.agencies.rules import clean_norm
from kernel.base.errors import Conflict, Invalid, Text, _
from kernel.base.roles import Role

ADMINISTRATOR = "administrator"
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


STATE_FUNCTIONS: Mapping[str, Function] = {
    "head": Function(
        _("Head of service"),
        _("answers for the agency, and may do all that an administrator may"),
        frozenset({ADMINISTRATOR}),
        is_single=True,
    ),
    "digital_officer": Function(
        _("Digital transformation coordinator"),
        _("leads digital transformation"),
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
}
"""Functions that there are without any block; the administrator's is a role too."""


def all_functions(roles: Iterable[Role]) -> dict[str, Function]:
    """Every function that an official may hold: the state's, and one for each role that pages may be for."""
    functions = dict(STATE_FUNCTIONS)
    for role in roles:
        for name in role.follows_from & STATE_FUNCTIONS.keys():
            function = functions[name]
            rights = _("%(rights)s; %(more)s", rights=function.description, more=role.description)
            functions[name] = replace(function, description=rights, roles=function.roles | {role.name})
        functions[role.name] = Function(role.title, role.description, frozenset({role.name}))
    return functions


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


def check_norm_of(function: Function, norm: str) -> str:
    """The norm behind an appointment. Raises Invalid where the function wants one and none is named."""
    cleaned = clean_norm(norm)
    if function.is_single and not cleaned:
        raise Invalid(fields={"norm": [_("Name the norm or resolution of the appointment: this function wants one.")]})
    return cleaned


def effective_roles(held: frozenset[str], functions: Mapping[str, Function], *, is_authority: bool) -> frozenset[str]:
    """The roles of whoever holds some of the functions, with `authority` for administrators of the digital-government
    authority.
    """
    roles = held.union(*(functions[name].roles for name in held if name in functions))
    return roles | {AUTHORITY} if is_authority and ADMINISTRATOR in roles else roles


def functions_with(role: str, functions: Mapping[str, Function]) -> tuple[str, ...]:
    """The functions from which a role follows, itself among them."""
    return (role, *(name for name, function in functions.items() if name != role and role in function.roles))
