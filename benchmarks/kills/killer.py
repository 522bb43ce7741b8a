"""Victims, moments and ways of killing: by chance, and the same again with the same seed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.kills.installation import Installation

SEALER = "sealer's session"
WEIGHTS = {"web worker": 5, "web master": 2, "orphan": 2, "job worker": 4, "backend": 5, "postmaster": 2, SEALER: 2}
FROZEN_SHARE = 0.15
"""The share that is frozen for a while instead of killed: a machine that is paused, a disk that hangs."""
FROZEN_SECONDS = (0.5, 8.0)
AT_ONCE_SHARE = 0.2
"""The share of which the next one comes while what was killed is still starting."""
AWAY_AT_MOST_SECONDS = 120


@dataclass
class Killer:
    """Kills one process after another, and notes how long the installation was away each time."""

    installation: Installation
    seed: int
    killed: Counter[str] = field(default_factory=Counter)
    away: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """The time for which nothing was ready after it, by what was killed."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strike(self) -> str:
        """Kill or freeze one process; what it was. Raises RuntimeError where the installation does not come back."""
        self._random.seed(f"{self.seed}:{self.killed.total()}")
        time.sleep(self._random.uniform(0.05, 1.5))
        name = self._strike_one()
        self.killed[name] += 1
        if self._random.random() > AT_ONCE_SHARE:
            self.away[name].append(self.installation.wait_until_ready(AWAY_AT_MOST_SECONDS))
        return name

    def _strike_one(self) -> str:
        found = {**self.installation.processes(), SEALER: [0]}
        kinds = sorted(found)
        kind = self._random.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        if kind == SEALER:
            return kind if self.installation.end_sealer() else f"{kind} missed"
        pid = self._random.choice(found[kind])
        if self._random.random() >= FROZEN_SHARE:
            _send(pid, signal.SIGKILL)
            return kind
        _send(pid, signal.SIGSTOP)
        time.sleep(self._random.uniform(*FROZEN_SECONDS))
        _send(pid, signal.SIGCONT)
        return f"{kind} frozen"


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
