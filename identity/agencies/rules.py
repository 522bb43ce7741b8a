"""Agencies, their state codes, and the roles that officials hold in them."""

from __future__ import annotations

import re
import unicodedata

from kernel.base.errors import Conflict, Invalid, _

ADMINISTRATOR = "administrator"
PUBLISHER = "publisher"
CORRESPONDENT = "correspondent"
ROLES = (ADMINISTRATOR, PUBLISHER, CORRESPONDENT)
AUTHORITY = "authority"
MAX_NAME = 200

_CODE = re.compile(r"[A-Z]{2}[0-9]{3,5}")


class AgencyCodeTaken(Conflict):
    kind = "agency-code-taken"
    title = _("This agency code is already taken")
    explanation = _("Every agency has a state code of its own, and another agency has this one.")
    remedy = _("Check the code with the state codes manager.")


class RoleAlreadyHeld(Conflict):
    kind = "role-already-held"
    title = _("This person already has this role")
    explanation = _("The person holds this role at the agency. Nothing was changed.")
    remedy = _("Choose another role, or leave it as it is.")


class LastAdministrator(Conflict):
    kind = "last-administrator"
    title = _("An agency needs an administrator")
    explanation = _("This person is the agency's only administrator. Without one, nobody could manage its members.")
    remedy = _("Make another person administrator first.")


def clean_code(code: str) -> str:
    """A state code such as AE001. Raises Invalid."""
    cleaned = unicodedata.normalize("NFKC", code[:32]).strip().upper()
    if not _CODE.fullmatch(cleaned):
        raise Invalid(fields={"code": [_("A state code is two letters and three to five digits, for example AE001.")]})
    return cleaned


def is_code(code: str) -> bool:
    """Whether an agency could have this code."""
    return bool(_CODE.fullmatch(code))


def clean_name(name: str) -> str:
    """An agency's name on one line. Raises Invalid."""
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not 2 <= len(cleaned) <= MAX_NAME or not cleaned.isprintable():
        raise Invalid(fields={"name": [_("A name has from 2 to 200 letters.")]})
    return cleaned


def check_role(role: str) -> str:
    """One of the roles. Raises Invalid."""
    if role not in ROLES:
        raise Invalid(fields={"role": [_("Choose one of the roles.")]})
    return role


def effective_roles(roles: frozenset[str], *, is_authority: bool) -> frozenset[str]:
    """The roles held, with `authority` for the administrators of the digital-government authority."""
    return roles | {AUTHORITY} if is_authority and ADMINISTRATOR in roles else roles
