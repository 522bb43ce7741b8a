"""Rules of token exchange between clients: who decides, and what each may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from identity.clients.registry.rules import PERSON_SCOPES, TOKEN_EXCHANGE, RegisteredClient
from identity.officials.rules import ADMINISTRATOR
from kernel.base.errors import Conflict, Invalid, _
from kernel.base.lifecycles import Lifecycle, TransitionRule
from kernel.base.notices import NoticeTemplate
from kernel.base.text import fault_of_lines, with_plain_breaks

PURPOSE_LENGTH = (20, 500)
MAX_REASONS = 500
SCOPES = tuple(scope for scope in PERSON_SCOPES if scope not in ("openid", "account", "offline_access"))
"""Scopes that an exchanged token may have: it is no sign-in, is never refreshed, and does not manage the account
here.
"""


class Status(StrEnum):
    ASKED = "asked"
    ALLOWED = "allowed"
    REFUSED = "refused"
    ENDED = "ended"


class Side(StrEnum):
    """The side of a policy: the owner of the calling client, or of the one that is called."""

    ACTOR = "actor"
    TARGET = "target"


class Transition(StrEnum):
    ALLOW = "allow"
    REFUSE = "refuse"
    END = "end"


class AlreadyAsked(Conflict):
    kind = "exchange-already-asked"
    title = _("This has already been requested")
    explanation = _("Your agency has already asked about these two clients, and the other agency has not answered.")
    remedy = _("Wait for the answer, or withdraw the request and ask again.")


class NotInThisState(Conflict):
    kind = "exchange-not-in-this-state"
    title = _("This is not possible now")
    explanation = _("Somebody decided meanwhile, or the decision is the other agency's.")
    remedy = _("Review the request again.")


TARGETS, ACTORS, BOTH = frozenset({Side.TARGET}), frozenset({Side.ACTOR}), frozenset(Side)
# Whoever owns the client that is called decides: they answer for what it tells. Either may end it.
LIFECYCLE = Lifecycle[Status, Transition](
    {
        (Status.ASKED, Transition.ALLOW): TransitionRule(Status.ALLOWED, "identity:exchange:allowed", TARGETS),
        (Status.ASKED, Transition.REFUSE): TransitionRule(
            Status.REFUSED, "identity:exchange:refused", TARGETS, needs_reasons=True
        ),
        (Status.ASKED, Transition.END): TransitionRule(Status.ENDED, "identity:exchange:forbidden", ACTORS),
        (Status.ALLOWED, Transition.END): TransitionRule(Status.ENDED, "identity:exchange:forbidden", BOTH),
    },
    refusal=NotInThisState,
)


@dataclass(frozen=True)
class Wish:
    """A request for a policy: the scopes, and the reason that the other agency reads."""

    scopes: tuple[str, ...]
    purpose: str

    @classmethod
    def checked(cls, scopes: Iterable[str], purpose: str) -> Wish:
        """Raises Invalid with every field that is wrong."""
        unique, text = sorted(set(scopes)), with_plain_breaks(purpose).strip()
        wrong = _faults_of(unique)
        least, most = PURPOSE_LENGTH
        if not least <= len(text) <= most:
            wrong["purpose"] = [_("Between %(least)s and %(most)s characters.", least=least, most=most)]
        elif fault := fault_of_lines(text):
            wrong["purpose"] = [fault]
        if wrong:
            raise Invalid(fields=wrong)
        return cls(tuple(unique), text)

    @classmethod
    def between_own(cls, scopes: Iterable[str]) -> Wish:
        """Of one's own clients, of which nobody else has to know why. Raises Invalid."""
        unique = sorted(set(scopes))
        if wrong := _faults_of(unique):
            raise Invalid(fields=wrong)
        return cls(tuple(unique), "")


def _faults_of(scopes: list[str]) -> dict[str, list[Any]]:
    return {} if scopes and set(scopes) <= set(SCOPES) else {"scopes": [_("Choose at least one.")]}


def check_pair(actor: RegisteredClient, target: RegisteredClient | None) -> RegisteredClient:
    """The client to be called, if the other may ask for it. Raises Invalid."""
    if TOKEN_EXCHANGE not in actor.grant_types:
        fault = _("This client cannot exchange tokens: its profile has none, or it has no credentials of its own.")
        raise Invalid(fields={"actor": [fault]})
    # Made-up people never reach what is in use.
    if target is None or target.environment != actor.environment or not _is_decidable(actor, target):
        fault = _("No client that may be called in the same environment has this identifier.")
        raise Invalid(fields={"target": [fault]})
    if target.client_id == actor.client_id:
        raise Invalid(fields={"target": [_("A client needs no permission to call itself.")]})
    return target


def _is_decidable(actor: RegisteredClient, target: RegisteredClient) -> bool:
    """Whether somebody can decide: the target's owner is the same, or an agency, which only another agency may ask."""
    return target.owner == actor.owner or (actor.agency_code is not None and target.agency_code is not None)


def checked_reasons(reasons: str, *, required: bool) -> str:
    """The reasons without space around them (Ley 19.880 art. 41: who refuses says why). Raises Invalid."""
    text = with_plain_breaks(reasons).strip()
    if fault := fault_of_lines(text):
        raise Invalid(fields={"reasons": [fault]})
    if len(text) > MAX_REASONS:
        raise Invalid(fields={"reasons": [_("At most %(most)s characters.", most=MAX_REASONS)]})
    if required and not text:
        raise Invalid(fields={"reasons": [_("Write why.")]})
    return text


REQUESTED = NoticeTemplate(
    kind="applications.exchange-requested",
    group=_("Applications"),
    label=_("Another agency asks to call one of your applications"),
    title=_("%(agency)s asks to call “%(target)s”"),
    text=_("Its client “%(actor)s” would do so on behalf of people. Decide it in My agency."),
    roles=frozenset({ADMINISTRATOR}),
)
TEMPLATES = (REQUESTED,)
