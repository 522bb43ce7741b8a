"""The times at which owners are told that a secret or key of theirs ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from identity.officials.rules import ADMINISTRATOR
from kernel.base.errors import _
from kernel.base.notices import NoticeTemplate

WARNED_BEFORE = (timedelta(days=30), timedelta(days=7))


def warning_due(
    ends: Iterable[datetime], warned_of: datetime | None, now: datetime
) -> tuple[datetime, datetime] | None:
    """The end that owners have to be told of and the mark that they were, None if nothing new is to be told.

    They are told once in each of the spans of WARNED_BEFORE.
    """
    end = min((end for end in ends if end > now), default=None)
    if end is None:
        return None
    passed = max((end - span for span in WARNED_BEFORE if end - span <= now), default=None)
    return (end, passed) if passed is not None and (warned_of is None or warned_of < passed) else None


NOTICES, ADMINISTRATORS = _("Applications"), frozenset({ADMINISTRATOR})
KEYS_UNREACHABLE = NoticeTemplate(
    kind="applications.keys-unreachable",
    group=NOTICES,
    label=_("The keys of an application cannot be fetched"),
    title=_("The keys of %(name)s cannot be fetched"),
    text=_(
        "“%(name)s” (%(client_id)s) publishes its keys at %(uri)s, and we found none there. The last ones "
        "remain valid for a day. After that, it can no longer prove who it is."
    ),
    roles=ADMINISTRATORS,
)
CREDENTIALS_END = NoticeTemplate(
    kind="applications.credentials-end",
    group=NOTICES,
    label=_("The credentials of an application expire soon"),
    title=_("The credentials of %(name)s expire on %(day)s"),
    text=_(
        "The secret or key of “%(name)s” (%(client_id)s) expires on %(day)s. Create a new one before "
        "that day, or nobody "
        "will be able to sign in. The old one keeps working alongside the new one for some days."
    ),
    roles=ADMINISTRATORS,
)
TEMPLATES = (KEYS_UNREACHABLE, CREDENTIALS_END)
