"""Notices to people: the templates that capabilities declare, and how a person may choose to be told.

`kernel.outside.notices` puts them into words, and hands them to the channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.base.errors import Text, _


class Timing(StrEnum):
    """The time at which a channel tells of something: at once, once a day with whatever else waits, or never."""

    NOW = "now"
    DAILY = "daily"
    OFF = "off"


PAGE, MAIL, SMS = "page", "mail", "sms"
TIMINGS: Mapping[str, tuple[Timing, ...]] = {
    PAGE: (Timing.NOW, Timing.OFF),
    MAIL: (Timing.NOW, Timing.DAILY, Timing.OFF),
    SMS: (Timing.OFF, Timing.NOW),
}
"""The choices that there are for each channel; the first is that of who has chosen nothing."""
TIMING_LABELS = {Timing.NOW: _("At once"), Timing.DAILY: _("Once a day"), Timing.OFF: _("No")}


@dataclass(frozen=True)
class NoticeTemplate:
    """A kind of notice, declared once: its words, whom it concerns, and on which channels they are told.

    kind: its stable name, under which people's choices are kept. group, label: how it stands among the preferences.
    title, text: with `%(name)s` for values. The text may repeat its `%(title)s`; the link follows it, unless it has it
    in it as `%(link)s`.
    roles: it concerns officials with one of them; empty for every person. channels: those that may tell it.
    always: those that tell it at once whatever was chosen, as mail does of what concerns an identity's security.
    """

    kind: str
    group: Text
    label: Text
    title: Text
    text: Text
    roles: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset(TIMINGS)
    always: frozenset[str] = frozenset()

    def timings(self, channel: str) -> tuple[Timing, ...]:
        """The timings that a person may choose for a channel; one alone is no choice."""
        if channel not in self.channels:
            return (Timing.OFF,)
        return (Timing.NOW,) if channel in self.always else TIMINGS[channel]

    def timing(self, channel: str, chosen: Mapping[str, str]) -> Timing:
        """The timing of a channel for a person who chose; a choice that is not offered any more does not count."""
        offered = self.timings(channel)
        return next((timing for timing in offered if timing == chosen.get(channel)), offered[0])

    def concerns(self, roles: frozenset[str]) -> bool:
        """Whether it is ever told to somebody with these roles."""
        return not self.roles or not self.roles.isdisjoint(roles)
