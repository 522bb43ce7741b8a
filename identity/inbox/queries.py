"""Reads of what a person is told, and of what they may choose about it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from identity.inbox.models import PhoneCode
from identity.inbox.rules import is_current
from identity.officials.queries import agencies_of, roles_of
from identity.people.queries import phone_of
from kernel.base import clock
from kernel.base.notices import SMS, TIMINGS, NoticeTemplate, Timing
from kernel.database.db import session
from kernel.outside.inbox import unread_count
from kernel.outside.messages import CHANNELS
from kernel.outside.notice_preferences import choices_by, templates_for
from kernel.outside.sms import is_open


@dataclass(frozen=True)
class Preference:
    """A kind of notice, how soon each channel tells a person of it, and what they may choose instead."""

    template: NoticeTemplate
    timings: dict[str, Timing]

    @property
    def offered(self) -> dict[str, tuple[Timing, ...]]:
        """The timings to choose from, by channel; of a channel with one alone there is nothing to choose."""
        return {channel: self.template.timings(channel) for channel in self.timings}


def preferences_of(person_id: UUID) -> list[Preference]:
    """Every kind of notice that may concern a person, by its group, with what they chose."""
    chosen, channels = choices_by(person_id), {one.name for one in CHANNELS()}
    if not (is_open() and phone_of(person_id)):
        channels -= {SMS}
    preferences = [
        Preference(
            template,
            {
                name: template.timing(name, chosen.get(template.kind, {}))
                for name in TIMINGS
                if name in channels and name in template.channels
            },
        )
        for template in templates_for(_roles_of(person_id))
    ]
    groups = list(dict.fromkeys(str(one.template.group) for one in preferences))
    return sorted(preferences, key=lambda one: groups.index(str(one.template.group)))


def _roles_of(person_id: UUID) -> frozenset[str]:
    """The roles that a person has at one agency or another."""
    held = (roles_of(held, is_authority=agency.is_authority) for agency, held in agencies_of(person_id))
    return frozenset().union(*held)


def unread_notices(person_id: str) -> int:
    """The number of notices that a person has not read."""
    return unread_count(UUID(person_id))


def phone_to_confirm(person_id: UUID) -> str | None:
    """The number to which a code was sent that a person may still enter."""
    sent = session().get(PhoneCode, person_id)
    return sent.phone if sent and sent.code_hash and is_current(sent.sent_at, clock.now()) else None
