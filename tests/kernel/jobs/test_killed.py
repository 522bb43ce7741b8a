"""`kill -9` at any instruction leaves a change with its job and its record, or none of the three."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kernel.base.settings import Settings

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from kernel.base import settings
from kernel.jobs import jobs
from kernel.jobs.access import Principal, act_as
from kernel.recording.audit import AuditEvent
from kernel.keys.signatures import SigningKey
from kernel.recording.work import action
from portal.app import create_app

SIGNS = Path(sys.argv[2])

@jobs.job("test:killed:job")
def work_on(of: str) -> None:
    with (SIGNS / "runs").open("a") as runs:
        runs.write("run\\n")
    if not (SIGNS / "second").exists():
        (SIGNS / "second").touch()
        time.sleep(60)
    (SIGNS / "finished").touch()

@action
def change(work, pause):
    times = {"created_at": work.now, "signs_from": work.now}
    row = SigningKey(purpose="test", algorithm="ES256", kid="one", public_jwk={}, **times)
    work.add(row)
    work.record("kernel:key:created", row)
    work.defer(work_on, of="one")
    (SIGNS / "changed").touch()
    if pause:
        time.sleep(60)

app = create_app(replace(settings.load(), blocks=()))
if sys.argv[1] == "change":
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="test"))
        change(pause="pause" in sys.argv)
else:
    jobs.HEARTBEAT_SECONDS, jobs.STALLED_AFTER_SECONDS = 0.5, 2
    jobs.run_worker(app)
"""


@pytest.fixture
def program(settings: Settings, tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {
        "CORDILLERA_DATABASE_URL": settings.database_url,
        "CORDILLERA_DATA_DIR": str(settings.data_dir),
        "CORDILLERA_ENVIRONMENT": "test",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(script), arguments[0], str(tmp_path), *arguments[1:]], env=environment
        )

    return start


def wait_for(path: Path, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.05)


def counts(settings: Settings) -> tuple[int, ...]:
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        found = tuple(
            connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in ("signing_key", "audit_event", "procrastinate_jobs")
        )
    engine.dispose()
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_between_change_and_commit_leaves_nothing(
    program: Callable[..., subprocess.Popen[bytes]], settings: Settings, tmp_path: Path
) -> None:
    process = program("change", "pause")
    wait_for(tmp_path / "changed")
    kill(process)
    assert counts(settings) == (0, 0, 0)


def test_a_job_whose_worker_is_killed_is_run_again_by_another(
    program: Callable[..., subprocess.Popen[bytes]], settings: Settings, tmp_path: Path
) -> None:
    assert program("change").wait(40) == 0
    assert counts(settings) == (1, 1, 1)
    first = program("work")
    wait_for(tmp_path / "second")
    kill(first)
    second = program("work")
    try:
        wait_for(tmp_path / "finished", 90)
    finally:
        kill(second)
    assert (tmp_path / "runs").read_text().count("run") == 2
