"""The ledger of what clients were told: the only thing that counts afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Letter:
    """A communication that a client sends: its key, what it holds, and how far it got."""

    key: str
    sha256: str
    code: str = ""
    is_acknowledged: bool = False


@dataclass
class Ledger:
    """Shared by all clients. An entry is made before the request, and completed once its answer is there."""

    letters: list[Letter] = field(default_factory=list)
    agreements: dict[str, str] = field(default_factory=dict)
    """The last state that somebody was told, by the agreement's code."""
    traces: list[str] = field(default_factory=list)
    """Calls through the gateway that were answered by the provider."""
    families: int = 0
    """Sign-ins to an application with a refresh token."""
    refreshes: int = 0
    lost: list[str] = field(default_factory=list)
    """Something that a client was told, or given, and then denied."""
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lose(self, what: str) -> None:
        with self.lock:
            self.lost.append(what)

    def count(self, work: str, answer: int | str) -> None:
        with self.lock:
            self.answers[f"{work} {answer}"] += 1

    @property
    def faults(self) -> list[str]:
        """Answers that nobody should get: the server's own, instead of a problem that says when to come again."""
        return [
            f"{name}: {number}" for name, number in sorted(self.answers.items()) if name.endswith((" 500", " bare"))
        ]
