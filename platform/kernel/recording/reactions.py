"""Reactions: what a capability does when the record of another says that something happened.

The record is the event. `@reacts_to(tag)` runs in the transaction of the change, right after its record was written,
and may add to it or, by raising, have none of it; `@follows(tag)` runs as a job that is deferred in it. Whoever makes
the change does not know who reacts, so that imports go down only. Records that a prepared write makes by itself
(`audit.record_of`) have no reactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kernel.jobs.jobs import job

if TYPE_CHECKING:
    from kernel.recording.work import Work


@dataclass(frozen=True)
class Event:
    """One thing that has just happened. subject: `table:identifier`, as the audit names it. detail: what it tells."""

    tag: str
    subject: str
    detail: Mapping[str, Any]

    @property
    def subject_id(self) -> str:
        """The part of the subject after its table."""
        return self.subject.partition(":")[2]


Reaction = Callable[["Work", Event], None]
Follower = Callable[[Event], None]
R = TypeVar("R", bound=Reaction)
F = TypeVar("F", bound=Follower)
_reactions: defaultdict[str, list[Reaction]] = defaultdict(list)


def reacts_to(*tags: str) -> Callable[[R], R]:
    """Run the function in the transaction of every change recorded under one of these tags.

    It is known once its module is imported: in a capability that is its `reactions.py`, which the composition imports.
    """

    def register(reaction: R) -> R:
        for tag in set(tags):
            _reactions[tag].append(reaction)
        return reaction

    return register


def follows(*tags: str, name: str) -> Callable[[F], F]:
    """Run the function as a job after every change recorded under one of these tags, at least once.

    name: of the job, and stable as that of every job: renaming it loses what waits. It is known as a reaction is.
    """

    def register(follower: F) -> F:
        @job(name)
        def follow(tag: str, subject: str, detail: Mapping[str, Any]) -> None:
            follower(Event(tag, subject, detail))

        @reacts_to(*tags)
        def defer(work: Work, event: Event) -> None:
            work.defer(follow, tag=event.tag, subject=event.subject, detail=dict(event.detail))

        return follower

    return register


def react(work: Work, event: Event) -> None:
    """Let whoever waits for such an event do their part, in the order of their registration."""
    for reaction in _reactions.get(event.tag, ()):
        reaction(work, event)
