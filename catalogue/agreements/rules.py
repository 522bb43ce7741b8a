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

CODE = re.compile(r"ACU-[0-9]{4}-[0-9]{6,9}")
# Decreto 12 of 2023, art. 12: the owner answers within fifteen business days.
ANSWER_DAYS = 15
PURPOSE_LENGTH = 1_000
LEGAL_BASIS_LENGTH = 1_000
MOST_DAILY_CALLS = 100_000_000


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
BOTH = frozenset(Side)
TRANSITIONS: dict[tuple[Status, Transition], tuple[Status, frozenset[Side]]] = {
    (Status.REQUESTED, Transition.APPROVE): (Status.ACTIVE, frozenset({Side.OWNER})),
    (Status.REQUESTED, Transition.REFUSE): (Status.REFUSED, frozenset({Side.OWNER})),
    (Status.REQUESTED, Transition.END): (Status.ENDED, frozenset({Side.CONSUMER})),
    (Status.ACTIVE, Transition.SUSPEND): (Status.SUSPENDED, BOTH),
    (Status.ACTIVE, Transition.END): (Status.ENDED, BOTH),
    (Status.SUSPENDED, Transition.RESUME): (Status.ACTIVE, BOTH),
    (Status.SUSPENDED, Transition.END): (Status.ENDED, BOTH),
}


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


def next_status(status: Status, transition: Transition, side: Side, suspended_by: Side | None = None) -> Status:
    """The status that the step leads to when that side takes it.

    Only the side that suspended may resume: else one agency could undo the other's decision. Raises NotInThisState.
    """
    reached, sides = TRANSITIONS.get((status, transition), (None, frozenset()))
    if reached is None or side not in sides or (transition == Transition.RESUME and side != suspended_by):
        raise NotInThisState(log=f"{transition} from {status} by {side}")
    return reached


def possible_transitions(status: Status, side: Side, suspended_by: Side | None = None) -> list[Transition]:
    """The steps that the side can take now."""
    found = []
    for transition in Transition:
        try:
            next_status(status, transition, side, suspended_by)
        except NotInThisState:
            continue
        found.append(transition)
    return found


def needs_reasons(transition: Transition) -> bool:
    """Ley 19.880 art. 41: who decides against the other says why."""
    return transition in (Transition.REFUSE, Transition.SUSPEND, Transition.END)


def agreement_code(year: int, number: int) -> str:
    """The code of an agreement, as `ACU-2026-000123`."""
    return f"ACU-{year}-{number:06d}"


def is_late(status: Status, answer_by: datetime, now: datetime) -> bool:
    """Whether the owner let the term pass without an answer."""
    return status == Status.REQUESTED and now > answer_by
