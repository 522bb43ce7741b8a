"""The figures as a table that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figures, ratio
from benchmarks.workloads import WORKLOADS

COMPARED_WITH, CONTROL = "oidc-provider", "control"
Results = Mapping[str, Mapping[str, Figures | str]]
"""By peer, then by workload: the figures, or why there are none."""


def show(results: Results, rounds: Sequence[Results], hash_ms: float) -> None:
    """Print one table; a password login also less the hash, which every peer computes alike.

    The CPU against the other's is the middle of what the rounds say: two figures of one round were measured within a
    minute, two middles were not.
    """
    control = _figures(results, CONTROL, "answer")
    rate = control.per_second if control else None
    table = Table(title="CPU is the server's with its database, in ms for each request (flow, login)")
    for heading in ("work", "peer"):
        table.add_column(heading)
    for heading in ("per second", "p50 ms", "p99 ms", "CPU ms", f"CPU / {COMPARED_WITH}", "rate / control"):
        table.add_column(heading, justify="right")
    for work in WORKLOADS:
        other = _figures(results, COMPARED_WITH, work)
        for peer, of_peer in results.items():
            found = of_peer.get(work)
            if isinstance(found, Figures):
                against = middle_ratio(rounds, peer, work)
                table.add_row(work, peer, *_cells(found), against, ratio(found.per_second, rate))
            elif found:
                table.add_row(work, peer, found)
            if isinstance(found, Figures) and work == "password login" and found.cpu_ms > hash_ms:
                less, other_less = found.cpu_ms - hash_ms, other.cpu_ms - hash_ms if other else None
                table.add_row(work, f"{peer}, less the hash", "", "", "", f"{less:.2f}", ratio(less, other_less), "")
        table.add_section()
    Console(width=160).print(table)


def middle_ratio(rounds: Sequence[Results], peer: str, work: str) -> str:
    """The peer's CPU against the one that all are compared with: of the rounds the one in the middle."""
    pairs = [(_figures(results, peer, work), _figures(results, COMPARED_WITH, work)) for results in rounds]
    found = sorted(one.cpu_ms / other.cpu_ms for one, other in pairs if one and other)
    return ratio(found[len(found) // 2], 1) if found else ratio(1, None)


def _figures(results: Results, peer: str, work: str) -> Figures | None:
    found = results.get(peer, {}).get(work)
    return found if isinstance(found, Figures) else None


def _cells(found: Figures) -> list[str]:
    return [f"{found.per_second:.1f}", f"{found.p50_ms:.1f}", f"{found.p99_ms:.1f}", f"{found.cpu_ms:.2f}"]
