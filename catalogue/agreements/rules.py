"""Agreements: for what one agency may use another's service, and which step follows which."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from catalogue.services.rules import NotInThisState, checked_text
from kernel.base.errors import Conflict, Forbidden, Invalid, _, in_context
from kernel.base.lifecycles import Deadline, Lifecycle, TransitionRule
from kernel.base.notices import NoticeTemplate

CODE = re.compile(r"ACU-[0-9]{4}-[0-9]{6,9}")
# Decreto 12 of 2023, art. 12: the owner answers within fifteen business days.
ANSWER_DAYS = 15
PURPOSE_LENGTH = 1_000
LEGAL_BASIS_LENGTH = 1_000
MOST_DAILY_CALLS = 100_000_000
PUBLISHERS = frozenset({"publisher"})
"""The roles that are told what becomes of agreements."""


class Status(StrEnum):
    """The status of an agreement."""

    REQUESTED = "requested"
    ACTIVE = "active"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Transition(StrEnum):
    """Changes that can be made to an agreement's status."""

    APPROVE = "approve"
    REFUSE = "refuse"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"


class Side(StrEnum):
    """The side of an agreement for which somebody acts."""

    OWNER = "owner"
    CONSUMER = "consumer"


OPEN = (Status.REQUESTED, Status.ACTIVE, Status.SUSPENDED)
STATUS_LABELS = {
    Status.REQUESTED: _("Waiting for an answer"),
    Status.ACTIVE: _("Active"),
    Status.REFUSED: in_context("agreement", "Refused"),
    Status.SUSPENDED: _("Suspended"),
    Status.ENDED: in_context("agreement", "Ended"),
}
SUSPENDER = "suspender"
"""The side that suspended an agreement. Only it may resume: else one agency could undo the other's decision."""
OWNERS, CONSUMERS, BOTH = frozenset({Side.OWNER}), frozenset({Side.CONSUMER}), frozenset(Side)
# Ley 19.880 art. 41: who decides against the other says why.
LIFECYCLE = Lifecycle[Status, Transition](
    {
        (Status.REQUESTED, Transition.APPROVE): TransitionRule(Status.ACTIVE, "catalogue:agreement:approved", OWNERS),
        (Status.REQUESTED, Transition.REFUSE): TransitionRule(
            Status.REFUSED, "catalogue:agreement:refused", OWNERS, needs_reasons=True
        ),
        (Status.REQUESTED, Transition.END): TransitionRule(
            Status.ENDED, "catalogue:agreement:ended", CONSUMERS, needs_reasons=True
        ),
        (Status.ACTIVE, Transition.SUSPEND): TransitionRule(
            Status.SUSPENDED, "catalogue:agreement:suspended", BOTH, needs_reasons=True
        ),
        (Status.ACTIVE, Transition.END): TransitionRule(
            Status.ENDED, "catalogue:agreement:ended", BOTH, needs_reasons=True
        ),
        (Status.SUSPENDED, Transition.RESUME): TransitionRule(
            Status.ACTIVE, "catalogue:agreement:resumed", frozenset({SUSPENDER})
        ),
        (Status.SUSPENDED, Transition.END): TransitionRule(
            Status.ENDED, "catalogue:agreement:ended", BOTH, needs_reasons=True
        ),
    },
    refusal=NotInThisState,
    deadlines={Status.REQUESTED: Deadline("answer_by", "catalogue:agreement:answer-overdue")},
)


class AlreadyAgreed(Conflict):
    """An open agreement covers the same service and purpose (Decreto 12, art. 12)."""

    kind = "already-agreed"
    title = _("There is already an agreement for this")
    explanation = _("Your agency has an open agreement, or a request, for the same service and the same purpose.")
    remedy = _("Use the existing agreement, or describe how this purpose is different.")


class OwnService(Conflict):
    """An agency needs no agreement with itself."""

    kind = "own-service"
    title = _("This service belongs to your own agency")
    explanation = _("Agreements are made between two agencies.")
    remedy = _("Use the service directly, at the provider's address.")


class NotActive(Forbidden):
    """The agreement is not, or no longer, in force: nothing passes the gateway."""

    kind = "agreement-not-active"
    title = _("The agreement is not active")
    explanation = _("The agreement that this credential belongs to has not been approved, is suspended or has ended.")
    remedy = _("See the reason on the agreement's page, and ask the other agency.")


class NotAgreed(Forbidden):
    """The token is bound to another service, version or agreement, or to none."""

    kind = "token-for-another-service"
    title = _("This token is not for this service")
    explanation = _("Each credential works only for the service, version and agreement that it was created for.")
    remedy = _("Ask for a token with the credentials of your agreement for this service.")


@dataclass(frozen=True)
class Purpose:
    """Why and how much the consumer will use the service. `checked` makes one out of anything."""

    text: str
    legal_basis: str
    personal_data: bool
    daily_calls: int

    @classmethod
    def checked(cls, *, text: str, legal_basis: str, personal_data: bool, daily_calls: int) -> Purpose:
        """Raises Invalid with every field that is wrong."""
        wrong: dict[str, list[Any]] = {}
        text = checked_text(text, "purpose", PURPOSE_LENGTH, wrong)
        legal_basis = checked_text(legal_basis, "legal_basis", LEGAL_BASIS_LENGTH, wrong)
        if not 1 <= daily_calls <= MOST_DAILY_CALLS:
            wrong["daily_calls"] = [_("A whole number from 1 to %(most)s.", most=MOST_DAILY_CALLS)]
        if wrong:
            raise Invalid(fields=wrong)
        return cls(text, legal_basis, personal_data, daily_calls)

    @property
    def key(self) -> str:
        """A key that is equal for two texts that differ only in capitals, accents, spaces and punctuation."""
        letters = unicodedata.normalize("NFKD", self.text.casefold())
        words = "".join(letter if letter.isalnum() else " " for letter in letters if not unicodedata.combining(letter))
        return hashlib.sha256(" ".join(words.split()).encode()).hexdigest()


def needs_reasons(transition: Transition) -> bool:
    """Whether somebody has to say why who makes the transition, from wherever it leads."""
    return any(rule.needs_reasons for (_at, name), rule in LIFECYCLE.rules.items() if name == transition)


def agreement_code(year: int, number: int) -> str:
    """The code of an agreement, as `ACU-2026-000123`."""
    return f"ACU-{year}-{number:06d}"


def is_late(status: Status, answer_by: datetime, now: datetime) -> bool:
    """Whether the owner let the term pass without an answer."""
    return status == Status.REQUESTED and now > answer_by


NOTICES = _("Agreements")
REQUESTED = NoticeTemplate(
    kind="agreements.requested",
    group=NOTICES,
    label=_("Another agency asks for an agreement"),
    title=_("%(agency)s asks for %(service)s"),
    text=_(
        "%(agency)s asks for an agreement to use %(service)s (%(version)s).\n\nPurpose: %(purpose)s\n\n"
        "Please answer by %(answer_by)s."
    ),
    roles=PUBLISHERS,
)
OVERDUE = NoticeTemplate(
    kind="agreements.overdue",
    group=NOTICES,
    label=_("The term to answer a request has passed"),
    title=_("The answer to %(code)s is overdue"),
    text=_(
        "%(agency)s asked for an agreement to use %(service)s (%(version)s).\n\n"
        "The term to answer passed on %(answer_by)s. Please answer now."
    ),
    roles=PUBLISHERS,
)
DECIDED = NoticeTemplate(
    kind="agreements.decided",
    group=NOTICES,
    label=_("The other agency decides about an agreement"),
    title=_("Agreement %(code)s: %(status)s"),
    text=_("The agreement %(code)s on %(service)s is now: %(status)s.\n\n%(reasons)s"),
    roles=PUBLISHERS,
)
TEMPLATES = (REQUESTED, OVERDUE, DECIDED)
