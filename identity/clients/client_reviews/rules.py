"""Decisions of the authority about an application: that it leaves the sandbox, and changes once it is in use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from identity.clients.profiles.rules import DECIDED_OPTIONS
from identity.clients.registry.rules import Registration, checked_scopes
from identity.officials.rules import ADMINISTRATOR, AUTHORITY
from kernel.base.errors import Conflict, Invalid, _
from kernel.base.lifecycles import Deadline, Lifecycle, TransitionRule
from kernel.base.notices import NoticeTemplate
from kernel.base.text import fault_of_lines, with_plain_breaks

ASKED_FOR = ("certification", "production")
SHOWN = (
    *("name", "logo", "profile", "auth_method", "redirect_uris", "post_logout_redirect_uris"),
    *("scopes", "scope_reasons", "sector"),
)
"""The fields that are decided, and have to be as they were when they were looked at."""
LISTS = ("redirect_uris", "post_logout_redirect_uris", "scopes", "contacts")
MAPPINGS = ("options", "scope_reasons")
"""Fields of which parts change by themselves."""


class AlreadyAsked(Conflict):
    kind = "environment-already-asked"
    title = _("This has already been requested")
    explanation = _("The application is waiting for the authority's decision, or is already there.")
    remedy = _("Wait for the decision; the application's page will show it.")


class ChangedMeanwhile(Conflict):
    kind = "approval-changed-meanwhile"
    title = _("The application was changed while you were looking at it")
    explanation = _("Only what you have seen can be approved.")
    remedy = _("Review it again.")


class Status(StrEnum):
    """The status of a review."""

    WAITING = "waiting"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class Transition(StrEnum):
    APPROVE = "approve"
    RETURN = "return"
    WITHDRAW = "withdraw"


class Side(StrEnum):
    """The side of a review for which somebody acts: the application's owner, or the authority."""

    OWNER = "owner"
    AUTHORITY = "authority"


OWNERS, AUTHORITIES = frozenset({Side.OWNER}), frozenset({Side.AUTHORITY})
DECISION_DAYS = 10
"""Business days after which the authority is reminded of a review that still waits."""
REVIEW_OVERDUE = "identity:client:review-overdue"


def _lifecycle(*, approved: str, returned: str) -> Lifecycle[Status, Transition]:
    """The table of reviews, whose decisions have tags of their own."""
    return Lifecycle[Status, Transition](
        {
            (Status.WAITING, Transition.APPROVE): TransitionRule(Status.APPROVED, approved, AUTHORITIES),
            (Status.WAITING, Transition.RETURN): TransitionRule(
                Status.RETURNED, returned, AUTHORITIES, needs_reasons=True
            ),
            (Status.WAITING, Transition.WITHDRAW): TransitionRule(
                Status.WITHDRAWN, "identity:client:request-withdrawn", OWNERS
            ),
        },
        refusal=ChangedMeanwhile,
        deadlines={Status.WAITING: Deadline("decide_by", REVIEW_OVERDUE)},
    )


OF_ENVIRONMENT = _lifecycle(
    approved="identity:client:environment-approved", returned="identity:client:environment-returned"
)
"""Reviews of whether an application goes on to another environment."""
OF_CHANGE = _lifecycle(approved="identity:client:change-approved", returned="identity:client:change-returned")
"""Reviews of a change of one that is in use."""


@dataclass(frozen=True)
class Difference:
    """One field of a registration, before and after."""

    name: str
    before: Any
    after: Any


def differences(before: Registration, after: Registration) -> list[Difference]:
    """List the fields that would change."""
    old, new = vars(before), vars(after)
    return [Difference(name, old[name], new[name]) for name in old if old[name] != new[name]]


def as_row(differences: Iterable[Difference]) -> dict[str, Any]:
    """Write differences as they are stored until they are decided."""
    return {one.name: {"before": one.before, "after": one.after} for one in differences}


def with_changes(registration: Registration, changes: Mapping[str, Any] | None) -> Registration:
    """The registration as it would be: what was asked for, over what it has become meanwhile."""
    return replace(
        registration,
        **{name: _merged(getattr(registration, name), **change, name=name) for name, change in (changes or {}).items()},
    )


def _merged(now: Any, *, before: Any, after: Any, name: str = "") -> Any:
    """Apply the change from `before` to `after` to a value that is there now; later changes of other parts stay."""
    if name in LISTS:
        unchanged = [one for one in now if one in after or one not in before]
        return [*unchanged, *(one for one in after if one not in before and one not in now)]
    if name in MAPPINGS:
        members = {key: _merged(now.get(key), before=before.get(key), after=after.get(key)) for key in {**now, **after}}
        return {key: value for key, value in members.items() if value is not None}
    return after if now == before else now


def fingerprint(request_id: object, environment: str, proposed: Registration) -> str:
    """Return a fingerprint of what is decided, so that nothing else is approved than what somebody saw."""
    seen = {name: getattr(proposed, name) for name in SHOWN}
    seen |= {name: proposed.options.get(name) for name in DECIDED_OPTIONS}
    text = json.dumps([str(request_id), environment, seen], sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()


def check_step(environment: str, present: str) -> None:
    """Whether an application may ask for the environment: it goes on and never back. Raises Invalid, AlreadyAsked."""
    if environment not in ASKED_FOR:
        raise Invalid(fields={"environment": [_("One of: %(choices)s.", choices=", ".join(ASKED_FOR))]})
    if present in (environment, "production"):
        raise AlreadyAsked()


def check_ready(registration: Registration) -> None:
    """Whether an application may leave the sandbox: nothing of it is left, and it says why. Raises Invalid."""
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        if any(not uri.startswith("https://") for uri in getattr(registration, name)):
            raise Invalid(fields={name: [_("Outside the sandbox every address begins with https.")]})
    if not registration.contacts:
        raise Invalid(fields={"contacts": [_("Somebody must be reachable: write an e-mail address.")]})
    scopes = checked_scopes(registration.profile, registration.scopes)
    if missing := [one for one in scopes if one != "openid" and not registration.scope_reasons.get(one)]:
        fault = _("Say why the application needs: %(scopes)s.", scopes=", ".join(missing))
        raise Invalid(fields={"scope_reasons": [fault]})


def checked_remark(remark: str) -> str:
    """Why the authority gives an application back. Raises Invalid."""
    remark = with_plain_breaks(remark).strip()
    if fault := fault_of_lines(remark):
        raise Invalid(fields={"remark": [fault]})
    if not 10 <= len(remark) <= 1_000:
        raise Invalid(fields={"remark": [_("Say in 10 to 1000 characters what is missing.")]})
    return remark


NOTICES, ADMINISTRATORS = _("Applications"), frozenset({ADMINISTRATOR})
APPROVED = NoticeTemplate(
    kind="applications.approved",
    group=NOTICES,
    label=_("The authority approves what an application asked for"),
    title=_("“%(name)s” was approved"),
    text="%(title)s.\n\n%(client_id)s",
    roles=ADMINISTRATORS,
)
RETURNED = NoticeTemplate(
    kind="applications.returned",
    group=NOTICES,
    label=_("The authority returns what an application asked for"),
    title=_("“%(name)s” was returned"),
    text="%(title)s.\n\n%(remark)s\n\n%(client_id)s",
    roles=ADMINISTRATORS,
)
OVERDUE = NoticeTemplate(
    kind="applications.review-overdue",
    group=NOTICES,
    label=_("The authority has let the term of a review pass"),
    title=_("“%(name)s” is still waiting for the authority"),
    text=_("Its owner asked more than %(days)s business days ago."),
    roles=frozenset({AUTHORITY}),
)
TEMPLATES = (APPROVED, RETURNED, OVERDUE)
