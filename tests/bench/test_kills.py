"""A short run of `make kills`: however processes are killed, nothing is lost, doubled or answered with a bare page."""

from pathlib import Path

import pytest
from builders.ports import three_free_ports

from benchmarks.kills.trial import Trial

pytestmark = pytest.mark.slow

SEED, KILLS = 7, 6


def test_nothing_is_lost_or_doubled_however_its_processes_are_killed(tmp_path: Path) -> None:
    trial = Trial(tmp_path, three_free_ports(), SEED, say=print)
    assert trial.run(KILLS) == []
    assert trial.ledger.letters
