"""Lifecycles: in which states a thing may be, and what leads from one to the next, as a table in its `rules.py`.

`kernel.recording.lifecycle` walks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from kernel.base.errors import Problem

S = TypeVar("S", bound=str)
T = TypeVar("T", bound=str)
Sides = frozenset[str]


@dataclass(frozen=True)
class TransitionRule(Generic[S]):
    """The target of a transition, the record that it leaves, who may make it, and whether it has to be explained."""

    target: S
    tag: str
    by: Sides = frozenset()
    """The sides that may; empty where whoever may open the page may."""
    needs_reasons: bool = False


@dataclass(frozen=True)
class Deadline:
    """Until when a state has to be left.

    due: the attribute of the row that says when. tag: the record of its having passed, which others react to. target:
    the state in which the row is then; None where it stays and somebody is only reminded.
    """

    due: str
    tag: str
    target: str | None = None


class Lifecycle(Generic[S, T]):
    """The table of one kind of thing.

    rules: by state and transition. refusal: raised where a transition does not follow. deadlines: by state.
    """

    def __init__(
        self,
        rules: Mapping[tuple[S, T], TransitionRule[S]],
        *,
        refusal: type[Problem],
        deadlines: Mapping[S, Deadline] | None = None,
    ) -> None:
        self.rules, self.deadlines = rules, deadlines or {}
        self._refusal = refusal

    def rule(self, status: str, transition: T, *sides: str) -> TransitionRule[S]:
        """The rule that lets somebody on one of these sides make the transition. Raises the lifecycle's refusal."""
        if transition not in self.possible(status, *sides):
            raise self._refusal(log=f"{transition} from {status} by {', '.join(sides) or 'anybody'}")
        return next(rule for (at, name), rule in self.rules.items() if (at, name) == (status, transition))

    def possible(self, status: str, *sides: str) -> list[T]:
        """The transitions that somebody on one of these sides can make now, in the order of the table."""
        return [
            transition
            for (at, transition), rule in self.rules.items()
            if at == status and (not rule.by or rule.by.intersection(sides))
        ]
