"""A worker gives back what it holds without working on it, and no wrong clock puts off a job for long."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from builders.databases import END_OTHER_CONNECTIONS, superuser
from builders.waiting import wait_until
from procrastinate.periodic import PeriodicRegistry

from kernel.base.settings import Settings
from kernel.jobs.job_worker import _Deferrer
from kernel.jobs.jobs import _application
from portal.local.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys, time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
import procrastinate.utils
from kernel.base import settings
from kernel.jobs import job_worker, jobs
from portal.app import create_app

[folder, clock] = sys.argv[1:]
RUNS = Path(folder) / "runs"
job_worker.LOOKS_EVERY_SECONDS = jobs.HEARTBEAT_SECONDS = 0.3
if clock == "ahead":
    right = procrastinate.utils.utcnow
    procrastinate.utils.utcnow = lambda: right() + timedelta(days=2)

def ran(name):
    with RUNS.open("a") as runs:
        runs.write(name + " ")

@jobs.job("test:quick")
def quick():
    ran("quick")

@jobs.job("test:slow")
def slow():
    ran("slow")
    time.sleep(4)
    ran("slept")

@jobs.job("test:fails-once")
@jobs.periodic("test:by-the-clock", "0 0 1 1 *")
def fails_once():
    failed = "failed" in RUNS.read_text() if RUNS.exists() else False
    ran("done" if failed else "failed")
    if not failed:
        raise ValueError("the first time")

jobs.run_worker(create_app(replace(settings.load(), blocks=())))
"""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start a worker, whose clock is right or ahead."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {
        "CORDILLERA_DATABASE_URL": settings.database_url,
        "CORDILLERA_DATA_DIR": str(settings.data_dir),
        "CORDILLERA_ENVIRONMENT": "test",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    started = []

    def start(clock: str = "right") -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, str(script), str(tmp_path), clock], env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def one(database: psycopg.Connection, query: str, *values: Any) -> Any:
    found = database.execute(query, values).fetchone()
    return found[0] if found else None


def a_job(database: psycopg.Connection, name: str, **columns: Any) -> int:
    """A job as it stands in the queue."""
    given = {"queue_name": "default", "task_name": name, "args": "{}", **columns}
    places = ", ".join(["%s"] * len(given))
    query = f"INSERT INTO procrastinate_jobs ({', '.join(given)}) VALUES ({places}) RETURNING id"
    return int(one(database, query, *given.values()))


def runs(tmp_path: Path) -> list[str]:
    file = tmp_path / "runs"
    return file.read_text().split() if file.exists() else []


def is_gone(database: psycopg.Connection, job: int) -> bool:
    return not one(database, "SELECT count(*) FROM procrastinate_jobs WHERE id = %s", job)


@pytest.fixture
def cut_at_the_end(database: psycopg.Connection) -> Iterator[None]:
    """The connection on which the end of a job is written down is cut in the middle of it, the first time."""
    database.execute("CREATE SEQUENCE test_cuts")
    database.execute("""
        CREATE FUNCTION test_cut() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('test_cuts') = 1 THEN
                PERFORM pg_terminate_backend(pg_backend_pid());
                PERFORM pg_sleep(60);
            END IF;
            RETURN COALESCE(NEW, OLD);
        END $$
    """)
    for event, when in (("DELETE", "OLD.task_name LIKE 'test:%'"), ("UPDATE", "NEW.status = 'todo'")):
        database.execute(
            f"CREATE TRIGGER test_cut_{event} BEFORE {event} ON procrastinate_jobs"
            f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION test_cut()"
        )
    yield
    database.execute("DROP FUNCTION test_cut CASCADE")
    database.execute("DROP SEQUENCE test_cuts")


# ---- who holds a job works on it ----


@pytest.mark.usefixtures("cut_at_the_end")
def test_a_job_whose_end_could_not_be_written_down_is_run_again_by_its_living_worker(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job = a_job(database, "test:quick")
    process = worker()
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["quick", "quick"]
    assert process.poll() is None


@pytest.mark.usefixtures("cut_at_the_end")
def test_a_job_whose_failure_could_not_be_written_down_is_tried_again_too(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job = a_job(database, "test:fails-once")
    process = worker()
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["failed", "done"]
    assert process.poll() is None


def test_a_job_that_a_worker_was_given_without_hearing_of_it_is_run(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    worker()
    wait_until(lambda: one(database, "SELECT count(*) FROM procrastinate_workers") == 1)
    holder = one(database, "SELECT id FROM procrastinate_workers")
    job = a_job(database, "test:quick", status="doing", worker_id=holder)
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["quick"]


def test_a_job_at_work_is_not_given_back_however_long_it_takes(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job = a_job(database, "test:slow")
    worker()
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["slow", "slept"]


def test_a_job_by_the_clock_that_fails_is_tried_again(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job = a_job(database, "test:by-the-clock", args='{"timestamp": 0}')
    worker()
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["failed", "done"]


def test_a_worker_outlives_the_absence_of_its_database(
    worker: Start, database: psycopg.Connection, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    process = worker()
    wait_until(lambda: one(database, "SELECT count(*) FROM procrastinate_workers") == 1)
    name = one(database, "SELECT current_database()")
    with superuser(postgres) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            database.execute(END_OTHER_CONNECTIONS)
            time.sleep(6)  # for each of its parts to ask in vain
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    job = a_job(database, "test:quick")
    wait_until(lambda: is_gone(database, job) or process.poll() is not None)
    assert process.poll() is None
    assert runs(tmp_path) == ["quick"]


@pytest.mark.usefixtures("app")
def test_a_job_of_a_newer_release_waits_for_its_worker(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job, known = a_job(database, "test:of-tomorrow"), a_job(database, "test:quick")
    worker()
    wait_until(lambda: is_gone(database, known))
    state = "SELECT status || ' ' || attempts || ' ' || (scheduled_at > now()) FROM procrastinate_jobs WHERE id = %s"
    wait_until(lambda: one(database, state, job) == "todo 0 true")
    database.execute(
        "UPDATE procrastinate_jobs SET task_name = 'test:quick', scheduled_at = now() WHERE id = %s", [job]
    )
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["quick", "quick"]


def test_a_job_that_no_release_knows_fails_after_a_day(worker: Start, database: psycopg.Connection) -> None:
    job = a_job(database, "test:of-nobody")
    database.execute("UPDATE procrastinate_events SET at = at - interval '25 hours' WHERE job_id = %s", [job])
    worker()
    wait_until(lambda: one(database, "SELECT status::text FROM procrastinate_jobs WHERE id = %s", job) == "failed")


def test_every_job_of_ours_is_tried_again() -> None:
    names = {task.name for task in _application.tasks.values() if task.retry_strategy is None}
    assert [name for name in names if not name.startswith("builtin:")] == []


# ---- wrong clocks ----


def test_a_job_put_off_by_a_clock_that_ran_ahead_comes_back(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    job = a_job(database, "test:fails-once")
    worker("ahead")
    wait_until(lambda: is_gone(database, job))
    assert runs(tmp_path) == ["failed", "done"]


def test_a_retry_keeps_its_pause_and_what_was_never_tried_its_time(
    worker: Start, database: psycopg.Connection, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    tried = a_job(database, "test:quick", attempts=9, scheduled_at=now + timedelta(seconds=2**9))
    planned = a_job(database, "test:quick", scheduled_at=now + timedelta(days=30))
    put_off = a_job(database, "test:quick", attempts=9, scheduled_at=now + timedelta(days=2))
    worker()
    wait_until(lambda: is_gone(database, put_off))
    times = database.execute("SELECT id, scheduled_at FROM procrastinate_jobs WHERE task_name = 'test:quick'")
    assert dict(times.fetchall()) == {
        tried: now + timedelta(seconds=2**9),
        planned: now + timedelta(days=30),
    }


def test_what_a_clock_ahead_started_for_a_time_to_come_is_forgotten(
    worker: Start, database: psycopg.Connection
) -> None:
    database.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)"
        " VALUES ('kernel:keys:rotate', '', 86400 + extract(epoch FROM now()))"
    )
    worker()
    wait_until(
        lambda: one(database, "SELECT count(*) FROM procrastinate_periodic_defers WHERE task_name LIKE '%%rotate'") == 0
    )


def test_jobs_start_by_the_clock_also_after_it_was_set() -> None:
    registry = PeriodicRegistry()  # type: ignore[no-untyped-call]  # the library's
    registry.register_task(_application.tasks["kernel:jobs:sweep"], "* * * * *", "", {})
    deferrer = _Deferrer(registry)
    noon = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC).timestamp()

    def started(at: float) -> list[int]:
        return [round(at) - timestamp for _, timestamp in deferrer.get_previous_tasks(at)]

    days = 2 * 24 * 3600
    assert started(noon) == [30]
    assert started(noon) == []
    assert started(noon + 60) == [30]
    assert started(noon + days) == [30]
    assert started(noon + 120) == [30]
