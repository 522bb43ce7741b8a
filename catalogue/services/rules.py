"""Services and their versions: what may be said of one, and which step follows which."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kernel.base.errors import Conflict, Invalid, _
from kernel.base.lifecycles import Lifecycle, TransitionRule
from kernel.base.text import is_email, is_line, is_lines

if TYPE_CHECKING:
    from catalogue.openapi_documents.reader import Document

CODE = re.compile(r"SRV-[0-9]{6,9}")
VERSION = re.compile(r"v[0-9]{1,4}(\.[0-9]{1,4}){0,2}")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_NAME = rf"({_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]"
# RFC 3986 3.3. A segment of dots alone would lead out of the path.
_LETTER = r"([A-Za-z0-9_~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_PATH = rf"(/(\.{{0,2}}{_LETTER}({_LETTER}|\.)*)?)*"
BASE_URL = rf"https://{_NAME}(:{_PORT})?{_PATH}"
"""A provider's address as it usually is, for those who read what may be sent; `checked_base_url` decides."""
_ADDRESS = re.compile(rf"https?://({_NAME}|{_LABEL}|[0-9.]+|\[[0-9A-Fa-f:.]+\])(:{_PORT})?{_PATH}")
NAME_LENGTH = 120
DESCRIPTION_LENGTH = 4_000
REASONS_LENGTH = 2_000
URL_LENGTH = 500


class Kind(StrEnum):
    """The kind of a service, for those who use it."""

    API = "api"
    PLATFORM = "platform"
    COMPONENT = "component"
    DATA = "data"


class Obligation(StrEnum):
    """Whether the state's agencies have to use it."""

    MANDATORY = "mandatory"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"


class Status(StrEnum):
    """The status of a version."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    PUBLISHED = "published"


class Transition(StrEnum):
    """Changes that can be made to a version's status."""

    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"


KIND_LABELS = {
    Kind.API: _("Interface (API)"),
    Kind.PLATFORM: _("Platform"),
    Kind.COMPONENT: _("Software component"),
    Kind.DATA: _("Data"),
}
OBLIGATION_LABELS = {
    Obligation.MANDATORY: _("Mandatory"),
    Obligation.RECOMMENDED: _("Recommended"),
    Obligation.OPTIONAL: _("Optional"),
}
STATUS_LABELS = {
    Status.DRAFT: _("Draft"),
    Status.SUBMITTED: _("Waiting for approval"),
    Status.RETURNED: _("Returned with reasons"),
    Status.PUBLISHED: _("Published"),
}


class NotInThisState(Conflict):
    """The step does not follow from where the thing stands, perhaps because somebody was faster."""

    kind = "not-in-this-state"
    title = _("This is not possible now")
    explanation = _("It has changed: somebody else has already decided, sent, ended or edited it.")
    remedy = _("Reload the page, check the current status and decide again.")


class VersionTaken(Conflict):
    """The service already has a version of that name."""

    kind = "version-taken"
    title = _("The service already has this version")
    explanation = _("Each version has its own name, such as v1 or v2. A published version never changes.")
    remedy = _("Choose the next version number.")


class UnderReview(Conflict):
    """The authority is looking at the version, which must not change under its eyes."""

    kind = "under-review"
    title = _("The service is being reviewed")
    explanation = _(
        "One of its versions is waiting for the authority's decision. Until then, the description cannot be changed."
    )
    remedy = _("Wait for the decision, then change it.")


class NotComplete(Invalid):
    """A draft lacks something that a version to be reviewed must have."""

    kind = "version-not-complete"
    status = 409  # what was sent is right; what was stored before is not enough
    title = _("The version is not complete yet")
    explanation = _("Before it can be reviewed, a version needs the provider's address and an OpenAPI document.")
    remedy = _("Fill in what is missing and send it again.")


# A published version never changes: who built on it must find tomorrow what was there today.
LIFECYCLE = Lifecycle[Status, Transition](
    {
        (Status.DRAFT, Transition.EDIT): TransitionRule(Status.DRAFT, "catalogue:version:edited"),
        (Status.DRAFT, Transition.SUBMIT): TransitionRule(Status.SUBMITTED, "catalogue:version:submitted"),
        (Status.SUBMITTED, Transition.APPROVE): TransitionRule(Status.PUBLISHED, "catalogue:version:published"),
        (Status.SUBMITTED, Transition.RETURN): TransitionRule(
            Status.RETURNED, "catalogue:version:returned", needs_reasons=True
        ),
        (Status.RETURNED, Transition.EDIT): TransitionRule(Status.DRAFT, "catalogue:version:edited"),
        (Status.RETURNED, Transition.SUBMIT): TransitionRule(Status.SUBMITTED, "catalogue:version:submitted"),
    },
    refusal=NotInThisState,
)


def is_possible(status: str, transition: Transition) -> bool:
    """Whether the transition follows from the status."""
    return transition in LIFECYCLE.possible(status)


def service_code(number: int) -> str:
    """The code of a service, as `SRV-000123`."""
    return f"SRV-{number:06d}"


@dataclass(frozen=True)
class ServiceFacts:
    """An agency's description of its service. `checked` makes one out of anything."""

    name: str
    description: str
    kind: Kind
    contact: str
    obligation: Obligation

    @classmethod
    def checked(cls, *, name: str, description: str, kind: str, contact: str, obligation: str) -> ServiceFacts:
        """Raises Invalid with every field that is wrong."""
        wrong: dict[str, list[Any]] = {}
        contact = contact.strip()
        if not is_email(contact):
            wrong["contact"] = [_("Write an e-mail address, such as soporte@agencia.cl.")]
        if kind not in set(Kind):
            wrong["kind"] = [_("Choose one of the kinds.")]
        if obligation not in set(Obligation):
            wrong["obligation"] = [_("Choose one of the options.")]
        checked_name = checked_text(name, "name", NAME_LENGTH, wrong, one_line=True)
        checked_description = checked_text(description, "description", DESCRIPTION_LENGTH, wrong)
        if wrong:
            raise Invalid(fields=wrong)
        return cls(checked_name, checked_description, Kind(kind), contact, Obligation(obligation))


@dataclass(frozen=True)
class VersionFacts:
    """An agency's description of a version; a draft may lack the address or the document (None keeps the one there is).

    `queries.prepare_version` makes one out of anything.
    """

    version: str
    base_url: str
    document: Document | None = None


def checked_text(text: str, field: str, longest: int, wrong: dict[str, list[Any]], *, one_line: bool = False) -> str:
    """The text trimmed; what is wrong with it is added to `wrong` under the field's name."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        wrong[field] = [_("This is required.")]
    elif len(text) > longest:
        wrong[field] = [_("At most %(count)s characters.", count=longest)]
    elif not (is_line(text) if one_line else is_lines(text)):
        wrong[field] = [_("There are characters here that cannot be shown.")]
    return text


def checked_reasons(reasons: str) -> str:
    """Ley 19.880 art. 41: who decides against somebody says why. Raises Invalid."""
    wrong: dict[str, list[Any]] = {}
    reasons = checked_text(reasons, "reasons", REASONS_LENGTH, wrong)
    if wrong:
        raise Invalid(fields=wrong)
    return reasons


def checked_version(version: str) -> str:
    """The version's name, which is part of its address at the gateway. Raises Invalid."""
    version = version.strip()
    if not VERSION.fullmatch(version):
        raise Invalid(fields={"version": [_("Write the letter v and a number, such as v1 or v2.1.")]})
    return version


def checked_base_url(url: str, allowed: Collection[str]) -> str:
    """The provider's address without a slash at its end; empty stays empty. Only its syntax is looked at.

    allowed: `host:port` of those that may be reached without encryption (demonstrations and tests). Raises Invalid.
    """
    url = url.strip().rstrip("/")
    if not url:
        return ""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > URL_LENGTH:
        raise _wrong_url(_("Write an address such as https://api.agencia.cl/v1, without spaces."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong_url(_("Write an address such as https://api.agencia.cl/v1, without spaces.")) from None
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise _wrong_url(_("Write an address such as https://api.agencia.cl/v1, without a user name or password."))
    if parts.query or parts.fragment or "?" in url or "#" in url or ".." in unquote(parts.path).split("/"):
        raise _wrong_url(_("The address must end with its path, without a question mark, # or .."))
    plain_allowed = parts.scheme == "http" and f"{parts.hostname}:{port or 80}" in allowed
    if parts.scheme != "https" and not plain_allowed:
        raise _wrong_url(_("The address must start with https://."))
    if not _ADDRESS.fullmatch(url):
        raise _wrong_url(_("The address contains a character that is not allowed. Write it percent-encoded."))
    return url


def _wrong_url(message: Any) -> Invalid:
    return Invalid(fields={"base_url": [message]})


def refuse_incomplete(base_url: str, openapi: str) -> None:
    """Raises NotComplete naming what is missing before a version can be reviewed."""
    missing: dict[str, list[Any]] = {}
    if not base_url:
        missing["base_url"] = [_("The address of the provider's system is missing.")]
    if not openapi:
        missing["openapi"] = [_("The OpenAPI document is missing.")]
    if missing:
        raise NotComplete(fields=missing)


ACCENTED, PLAIN = "áéíóúüàèìòùâêîôûñç", "aeiouuaeiouaeiounc"
LONGEST_SEARCH = 200


def without_accents(text: str) -> str:
    """Remove accents as the index does for the copy that it keeps (`translate()` in the database does so too)."""
    return text.lower().translate(str.maketrans(ACCENTED, PLAIN))


def spellings(words: str) -> list[str]:
    """The ways in which a person may have meant the words searched for, most literal first.

    The Spanish stemmer knows `-ción` only with its accent, which many leave out: both are tried.
    """
    words = "".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in words).strip()[:LONGEST_SEARCH]
    ways = [words.lower(), re.sub(r"ion\b", "ión", words.lower()), without_accents(words)]
    return list(dict.fromkeys(way for way in ways if way))
