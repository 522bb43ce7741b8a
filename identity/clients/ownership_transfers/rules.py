"""Rules of taking over an application that a developer of the sandbox made."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from identity.clients.client_reviews.rules import ChangedMeanwhile
from identity.officials.rules import ADMINISTRATOR
from kernel.base.errors import Conflict, Invalid, Text, _
from kernel.base.lifecycles import Deadline, Lifecycle, TransitionRule
from kernel.base.notices import MAIL, NoticeTemplate
from kernel.base.text import fault_of_lines, with_plain_breaks


class AlreadyOffered(Conflict):
    kind = "application-already-offered"
    title = _("The application has already been offered")
    explanation = _("An agency is reviewing it, or already has it.")
    remedy = _("Wait for the answer, or withdraw the offer.")


class Status(StrEnum):
    """The status of an offer."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Transition(StrEnum):
    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


class Side(StrEnum):
    """The side of an offer for which somebody acts: the developer who makes it, or the agency that answers."""

    DEVELOPER = "developer"
    AGENCY = "agency"


DEVELOPERS, AGENCIES = frozenset({Side.DEVELOPER}), frozenset({Side.AGENCY})
ANSWER_DAYS = 20
"""Business days after which an offer that nobody has answered ends."""
OFFER_EXPIRED = "identity:client:adoption-expired"
LIFECYCLE = Lifecycle[Status, Transition](
    {
        (Status.WAITING, Transition.ACCEPT): TransitionRule(Status.ACCEPTED, "identity:client:adopted", AGENCIES),
        (Status.WAITING, Transition.DECLINE): TransitionRule(
            Status.DECLINED, "identity:client:adoption-declined", AGENCIES, needs_reasons=True
        ),
        (Status.WAITING, Transition.WITHDRAW): TransitionRule(
            Status.WITHDRAWN, "identity:client:adoption-withdrawn", DEVELOPERS
        ),
    },
    refusal=ChangedMeanwhile,
    deadlines={Status.WAITING: Deadline("answer_by", OFFER_EXPIRED, target=Status.EXPIRED)},
)


def checked_words(words: str, field: str) -> str:
    """Why a developer offers an application, or an agency declines it. Raises Invalid."""
    words = with_plain_breaks(words).strip()
    if fault := fault_of_lines(words):
        raise Invalid(fields={field: [fault]})
    if not 10 <= len(words) <= 500:
        raise Invalid(fields={field: [_("Say why in 10 to 500 characters.")]})
    return words


def without_ours(addresses: Iterable[str], base_url: str) -> list[str]:
    """The addresses to return to without those of this platform, where the sandbox lets its developers try."""
    return [address for address in addresses if not address.startswith(f"{base_url}/")]


OFFERED = NoticeTemplate(
    kind="applications.offered",
    group=_("Applications"),
    label=_("A developer offers your agency an application"),
    title=_("A developer offers your agency the application “%(name)s”"),
    text="%(developer)s: %(reason)s",
    roles=frozenset({ADMINISTRATOR}),
)


def _to_developer(kind: str, title: Text) -> NoticeTemplate:
    """A template for a developer, who has a mailbox alone, and no preferences."""
    text = "%(title)s.\n\n%(remark)s\n\n%(client_id)s"
    return NoticeTemplate(kind, group="", label="", title=title, text=text, channels=frozenset({MAIL}))


ACCEPTED = _to_developer("applications.accepted", _("“%(name)s” was taken over"))
DECLINED = _to_developer("applications.declined", _("“%(name)s” was not taken over"))
EXPIRED = _to_developer("applications.offer-expired", _("“%(name)s” was not taken over: nobody answered in time"))
TEMPLATES = (OFFERED,)
