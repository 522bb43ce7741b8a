"""Results of a measurement: rates, percentiles, the server's CPU for each request, and ratios between peers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all values do not exceed (nearest rank).

    Raises ValueError for no values, or a share outside 0 to 1.
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1")
    rank = max(1, math.ceil(share * len(values)))
    return sorted(values)[rank - 1]


@dataclass(frozen=True)
class Load:
    """Observations of a load generator: requests (or whole flows) completed, seconds taken, failures, milliseconds."""

    completed: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @classmethod
    def of_latencies(cls, latencies_ms: Sequence[float], seconds: float, failed: int) -> Load:
        if not latencies_ms:
            return cls(0, seconds, failed, math.nan, math.nan)
        return cls(len(latencies_ms), seconds, failed, percentile(latencies_ms, 0.5), percentile(latencies_ms, 0.99))


@dataclass(frozen=True)
class Figures:
    """One peer at one workload. `cpu_ms`: of the server's process tree and its database together, for each request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    completed: int
    failed: int

    @classmethod
    def of(cls, load: Load, cpu_seconds: float) -> Figures:
        """Raises ValueError where nothing was completed."""
        if not load.completed:
            raise ValueError(f"no request was completed, {load.failed} failed")
        return cls(
            per_second=load.completed / load.seconds,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            cpu_ms=1000 * cpu_seconds / load.completed,
            completed=load.completed,
            failed=load.failed,
        )

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


def ratio(one: float, other: float | None) -> str:
    """The multiple of the other, in words of a table; a dash where there is nothing to compare with."""
    return "–" if not other else f"{one / other:.2f}x"
