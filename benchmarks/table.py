"""The figures as a table that a person reads."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figures, ratio
from benchmarks.workloads import WORKLOADS

COMPARED_WITH, CONTROL = "oidc-provider", "control"
Results = Mapping[str, Mapping[str, Figures | str]]
"""By peer, then by workload: the figures, or why there are none."""


def show(results: Results, hash_ms: float) -> None:
    """Print one table; a password login also less the hash, which every peer computes alike."""
    table = Table(title="CPU is the server's with its database, in ms for each request (flow, login)")
    for heading in ("work", "peer"):
        table.add_column(heading)
    for heading in ("per second", "p50 ms", "p99 ms", "CPU ms", f"CPU / {COMPARED_WITH}", "rate / control"):
        table.add_column(heading, justify="right")
    control = _figures(results, CONTROL, "answer")
    for work in WORKLOADS:
        # A peer of whom there are opaque and JWT figures is compared in both.
        other = _figures(results, COMPARED_WITH, work)
        for peer, of_peer in results.items():
            found = of_peer.get(work)
            if isinstance(found, Figures):
                table.add_row(work, peer, *_cells(found, other, control))
            elif found:
                table.add_row(work, peer, found)
            if isinstance(found, Figures) and work == "password login" and found.cpu_ms > hash_ms:
                less, other_less = found.cpu_ms - hash_ms, other.cpu_ms - hash_ms if other else None
                table.add_row(work, f"{peer}, less the hash", "", "", "", f"{less:.2f}", ratio(less, other_less), "")
        table.add_section()
    Console(width=160).print(table)


def _figures(results: Results, peer: str, work: str) -> Figures | None:
    found = results.get(peer, {}).get(work)
    return found if isinstance(found, Figures) else None


def _cells(found: Figures, other: Figures | None, control: Figures | None) -> list[str]:
    return [
        f"{found.per_second:.1f}",
        f"{found.p50_ms:.1f}",
        f"{found.p99_ms:.1f}",
        f"{found.cpu_ms:.2f}",
        ratio(found.cpu_ms, other.cpu_ms if other else None),
        ratio(found.per_second, control.per_second if control else None),
    ]
