"""Messages: a notice in words, on its way to one reader through a channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.base.installation import SETTINGS
from kernel.base.slots import Slot
from kernel.jobs.access import ACTING_FOR
from kernel.recording.work import Work


@dataclass(frozen=True)
class Recipient:
    """Somebody who is told: a person, an official of `agency`, or, without `person_id`, a mailbox alone."""

    email: str | None
    language: str
    person_id: UUID | None = None
    agency: str = ""


class Official(Protocol):
    """An official as far as a notice needs to know one; without an address no mail goes to them."""

    @property
    def person_id(self) -> UUID: ...

    @property
    def email(self) -> str | None: ...

    @property
    def language(self) -> str: ...


def officials_at(agency: str, officials: Iterable[Official]) -> list[Recipient]:
    """An agency's officials as those who are told: whoever opens the link acts for that agency."""
    return [Recipient(one.email, one.language, one.person_id, agency) for one in officials]


@dataclass(frozen=True)
class Message:
    """A notice in the reader's words. id: its name on every channel. path: of the page of ours that it leads to."""

    id: UUID
    kind: str
    title: str
    text: str
    path: str

    @property
    def address(self) -> str:
        """The whole address of the page; empty where there is none."""
        return f"{SETTINGS().base_url}{self.path}" if self.path else ""


def path_for(agency: str, path: str) -> str:
    """The path of a page for an agency's officials: whoever opens it acts for that agency."""
    return f"{path}?{ACTING_FOR}={agency}" if agency and path else path


class MessageChannel(Protocol):
    """A way to reach people. What waits for somebody else's server is a job, deferred with the change."""

    @property
    def name(self) -> str:
        """Its stable name, by which templates and choices know it."""

    def reaches(self, recipient: Recipient) -> bool:
        """Whether it has an address of theirs."""

    def post(self, work: Work, recipient: Recipient, message: Message) -> None:
        """Defer the job that delivers the message, at least once and under its name."""


CHANNELS: Slot[list[MessageChannel]] = Slot("message_channels")
