"""A short run of `make kills`: however processes are killed, nothing is lost, doubled or answered with a bare page."""

import socket
from pathlib import Path

from benchmarks.kills.trial import Trial

SEED, KILLS = 7, 6


def three_ports() -> int:
    """The first of three free ports in a row."""
    for first in range(26_000, 60_000, 7):
        probes = [socket.socket() for _ in range(3)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first
    raise AssertionError("no free ports")


def test_nothing_is_lost_or_doubled_however_its_processes_are_killed(tmp_path: Path) -> None:
    trial = Trial(tmp_path, three_ports(), SEED, say=print)
    assert trial.run(KILLS) == []
    assert trial.ledger.letters
