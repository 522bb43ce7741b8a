"""Loops go on after failures, tell how they fare, and end with their process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from builders.waiting import wait_until
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from structlog import get_logger
from structlog.testing import capture_logs

from kernel.jobs import loops
from kernel.jobs.loops import Loop, Supervision, kept_running, loops_of_process, running

PLATFORM = Path(__file__).resolve().parents[3] / "platform"


class Fails:
    """A turn that fails until it is mended."""

    def __init__(self) -> None:
        self.turns, self.is_mended = 0, False

    def __call__(self) -> None:
        self.turns += 1
        if not self.is_mended:
            raise ValueError("not yet")


def figure(name: str, loop: str) -> float:
    return REGISTRY.get_sample_value(name, {"loop": loop}) or 0.0


def test_each_failure_is_followed_by_a_longer_pause_and_a_success_by_the_usual_one() -> None:
    turn = Fails()
    loop = Loop("growing", turn, every=0.5)
    assert [loop.run_once() for _ in range(9)] == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    turn.is_mended = True
    assert [loop.run_once(), loop.run_once()] == [0.5, 0.5]
    turn.is_mended = False
    assert loop.run_once() == 1


def test_a_loop_that_failed_goes_on_and_the_metrics_tell_of_both() -> None:
    turn, started = Fails(), time.time()
    with running([Loop("mended", turn, every=0.01)]):
        wait_until(lambda: turn.turns > 1)
        assert figure("cordillera_loop_failures_total", "mended") >= 1
        assert figure("cordillera_loop_last_success_timestamp_seconds", "mended") == 0
        turn.is_mended = True
        wait_until(lambda: figure("cordillera_loop_last_success_timestamp_seconds", "mended") >= started)


def test_an_outage_is_one_line_and_its_end_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "log", get_logger())  # the one in use keeps to what was configured when it first spoke
    supervision = Supervision("told", every=0.1)
    with capture_logs() as lines:
        for error in (ValueError(), ValueError(), KeyError(), KeyError()):
            supervision.failed(error)
        supervision.succeeded()
        supervision.succeeded()
    assert [(line["log_level"], line.get("cause")) for line in lines] == [
        ("warning", "ValueError"),
        ("warning", "KeyError"),
        ("info", None),
    ]


def test_loops_that_wait_stop_at_once_and_one_that_cannot_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STOP_SECONDS", 0.1)
    freed = threading.Event()
    waits = Loop("waits", freed.wait, every=60, interrupt=freed.set)
    sleeps = Loop("sleeps", lambda: None, every=3600)
    deaf_until = threading.Event()
    deaf = Loop("deaf", deaf_until.wait, every=60)
    for loop in (waits, sleeps, deaf):
        loop.start()
    assert (waits.stop(), sleeps.stop(), deaf.stop()) == (True, True, False)
    deaf_until.set()


def test_a_loop_begins_once_in_a_process_and_can_make_a_last_turn() -> None:
    turn = Fails()
    turn.is_mended = True
    loop = Loop("last", turn, every=3600, last_turn_seconds=30)
    loop.start()
    loop.start()
    wait_until(lambda: turn.turns == 1)
    loop.stop()
    assert turn.turns == 2
    assert loop not in loops_of_process()


def test_an_orderly_end_of_the_process_makes_the_last_turn(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kernel.jobs.loops import Loop\n"
        "write = lambda: Path(sys.argv[1]).open('a').write('x')\n"
        "Loop('ends', write, every=3600, last_turn_seconds=30).start()\n"
        "while not Path(sys.argv[1]).exists(): pass\n"
    )
    written = tmp_path / "turns"
    subprocess.run([sys.executable, "-c", program, str(written)], env={"PYTHONPATH": str(PLATFORM)}, check=True)
    assert written.read_text() == "xx"


def test_readiness_shows_the_loops_of_the_process(client: FlaskClient) -> None:
    turn = Fails()
    with running([Loop("shown", turn, every=0.01)]):
        wait_until(lambda: client.get("/health/ready").get_json()["loops"].get("shown") == "failing")
        assert client.get("/health/ready").status_code == 200
        turn.is_mended = True
        wait_until(lambda: client.get("/health/ready").get_json()["loops"].get("shown") == "ok")
    assert "shown" not in client.get("/health/ready").get_json()["loops"]


def test_work_of_an_event_loop_is_begun_anew_after_what_was_expected_and_nothing_else() -> None:
    errors = [OSError(), OSError(), KeyError()]

    async def work() -> None:
        raise errors.pop(0)

    with pytest.raises(KeyError):
        asyncio.run(kept_running("async", work, OSError, every=0.01, longest_pause=0.02))
    assert figure("cordillera_loop_failures_total", "async") == 2
