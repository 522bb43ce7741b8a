"""The sealer goes on whatever happens: errors, a log that cannot be sealed, a leader that stands still."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from builders.waiting import wait_until
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from interoperability.evidence import queries as evidence
from interoperability.evidence.actions import append
from interoperability.evidence.models import EvidenceEntry
from kernel.base import clock
from kernel.base.settings import Settings
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as
from kernel.jobs.loops import running
from kernel.recording import audit_chain, sealing
from kernel.recording.audit import AuditEvent
from kernel.recording.audit_chain import AuditSeal, AuditWaiting
from kernel.recording.sealing import SEALED_LOGS, SealedLog, sealed_logs
from kernel.recording.work import Work, action

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90


@action
def note(work: Work, count: int = 1) -> None:
    """Records for both logs."""
    for number in range(count):
        append(work, "test:noted", f"test:{number}", {})
        work.record("test:noted", f"test:{number}")


def noted(app: Flask, count: int = 1) -> None:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        note(count)


def waiting(app: Flask) -> dict[str, int]:
    with app.app_context():
        return {each.name: unsealed.records for each, unsealed in sealing.unsealed(session())}


def seal_everything(app: Flask) -> None:
    """The first seal of the evidence makes its key, which the audit tells of."""
    while any(waiting(app).values()):
        sealing.seal_all(app)


class Fails:
    """A log that cannot be sealed until it is mended."""

    def __init__(self, of: SealedLog, error: Exception) -> None:
        self.of, self.error, self.is_mended, self.tried = of, error, False, 0

    def __call__(self, current: Session, limit: int) -> int:
        self.tried += 1
        if not self.is_mended:
            raise self.error
        return self.of.seal_batch(current, limit)


@pytest.mark.parametrize("name", ["audit", "evidence"])
def test_a_log_that_cannot_be_sealed_does_not_stop_the_other_and_goes_on_once_it_can(app: Flask, name: str) -> None:
    logs = {each.name: each for each in sealed_logs(app)}
    fails = Fails(logs[name], AttributeError("a key that shows nothing"))
    SEALED_LOGS.fill(app, [*({**logs, name: replace(logs[name], seal_batch=fails)}).values()])
    other = ({"audit", "evidence"} - {name}).pop()
    noted(app)
    with running(sealing.sealers(app)):
        wait_until(lambda: fails.tried > 1 and waiting(app)[other] == 0)
        assert waiting(app)[name] > 0
        fails.is_mended = True
        wait_until(lambda: waiting(app)[name] == 0)


def test_batches_that_are_never_done_in_time_become_smaller_until_they_are(app: Flask) -> None:
    audit, *_others = sealed_logs(app)
    sizes: list[int] = []

    def slow(current: Session, limit: int) -> int:
        sizes.append(limit)
        if limit > 10:
            # As whoever is ended by the next leader: nothing it has done is left.
            current.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return audit.seal_batch(current, limit)

    noted(app)
    loop = sealing.sealer(app, replace(audit, seal_batch=slow))
    while len(sizes) <= 30 and waiting(app)["audit"] > 0:
        loop.run_once()
    assert sizes[:5] == [1000, 250, 62, 15, 3]
    assert waiting(app)["audit"] == 0


@pytest.mark.parametrize(
    ("size", "seconds", "following"),
    [(1000, 1, 1000), (1000, 15, 250), (1, 20, 1), (3, 0.1, 6), (800, 0, 1000), (8, 5, 8)],
)
def test_a_batch_is_as_large_as_fits_well_into_the_time_that_a_leader_has(
    size: int, seconds: float, following: int
) -> None:
    assert sealing.next_batch(size, seconds) == following


def test_whoever_seals_once_seals_what_can_be_sealed_and_says_what_could_not(app: Flask) -> None:
    audit, log = sealed_logs(app)
    SEALED_LOGS.fill(app, [replace(audit, seal_batch=Fails(audit, ValueError("no"))), log])
    noted(app)
    with pytest.raises(ExceptionGroup):
        sealing.seal_all(app)
    assert waiting(app)["evidence"] == 0
    assert waiting(app)["audit"] > 0


def figure(page: str, name: str, log: str) -> float:
    found = re.search(rf'^{name}{{log="{log}"}} (\S+)$', page, re.MULTILINE)
    assert found, page
    return float(found[1])


def test_metrics_tell_how_many_records_of_each_log_wait_and_since_when(app: Flask, client: FlaskClient) -> None:
    with clock.shifted(-timedelta(hours=1)):
        noted(app, 3)
    page = client.get("/metrics").text
    for log in ("audit", "evidence"):
        assert figure(page, "cordillera_unsealed_records", log) == 3
        assert 3600 <= figure(page, "cordillera_unsealed_age_seconds", log) < 7200
    seal_everything(app)
    page = client.get("/metrics").text
    for log in ("audit", "evidence"):
        assert figure(page, "cordillera_unsealed_records", log) == 0
        assert figure(page, "cordillera_unsealed_age_seconds", log) == 0


# ---- a leader that stands still ----

PROGRAM = """
import os, signal, sys
from pathlib import Path
from kernel.base import settings
from kernel.recording import audit_chain, sealing
from interoperability.evidence import actions as evidence
from sqlalchemy.orm import Session
from portal.app import create_app

sealing.LEADS_SECONDS = 2.0
[log, moment] = sys.argv[1:]
app = create_app(settings.load())

def stand_still():
    os.kill(os.getpid(), signal.SIGSTOP)

if moment == "half":
    of, name = (audit_chain, "_last_seal") if log == "audit" else (evidence, "latest_checkpoint")
    half = getattr(of, name)
    def pausing(session):
        stand_still()
        return half(session)
    setattr(of, name, pausing)
elif moment == "done":
    commit = Session.commit
    def pausing(session):
        stand_still()
        commit(session)
    Session.commit = pausing
[sealed_log] = [each for each in sealing.sealed_logs(app) if each.name == log]
try:
    sealing._seal(app, sealed_log, sealing._Pace())
except Exception as error:
    print("lost:", type(error).__name__, flush=True)
"""


@pytest.fixture
def leader(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that seals once and stops itself in the middle of it."""
    script = tmp_path / "leader.py"
    script.write_text(PROGRAM)
    environment = os.environ | {
        "CORDILLERA_DATABASE_URL": settings.database_url,
        "CORDILLERA_DATA_DIR": str(settings.data_dir),
        "CORDILLERA_MASTER_KEY": "dGhlLW1hc3Rlci1rZXktb2YtdGhlLXRlc3Qtc3VpdGU=",
        "CORDILLERA_ENVIRONMENT": "test",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    started = []

    def start(log: str, moment: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), log, moment]
        started.append(subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stands_still(process: subprocess.Popen[str]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("moment", ["half", "done"])
@pytest.mark.parametrize("log", ["audit", "evidence"])
def test_a_leader_that_stands_still_loses_its_place_and_changes_nothing_when_it_wakes_up(
    app: Flask,
    leader: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    log: str,
    moment: str,
) -> None:
    noted(app)
    seal_everything(app)
    noted(app, 5)
    frozen = leader(log, moment)
    wait_until(lambda: stands_still(frozen))
    noted(app, 5)
    monkeypatch.setattr(sealing, "LEADS_SECONDS", 2.0)
    with running(sealing.sealers(app)):
        wait_until(lambda: waiting(app) == {"audit": 0, "evidence": 0})
        frozen.send_signal(signal.SIGCONT)
        said, _ = frozen.communicate(timeout=PATIENCE_SECONDS)
        assert said.startswith("lost: ")
    assert_sound(app)


def test_a_leader_at_work_keeps_its_place(app: Flask, leader: Callable[..., subprocess.Popen[str]]) -> None:
    noted(app, 5)
    frozen = leader("audit", "half")
    wait_until(lambda: stands_still(frozen))
    sealing.seal_all(app)
    assert waiting(app)["audit"] > 0
    frozen.send_signal(signal.SIGCONT)
    said, _ = frozen.communicate(timeout=PATIENCE_SECONDS)
    assert said == ""
    seal_everything(app)
    assert_sound(app)


def assert_sound(app: Flask) -> None:
    """Both logs hold, and every record is in them once."""
    with app.app_context():
        current = session()
        events = current.scalar(select(func.count()).select_from(AuditEvent))
        verdict = audit_chain.verify(current)
        assert (verdict.broken_at, verdict.strays, verdict.events) == (None, 0, events)
        members = [one for seal in current.scalars(select(AuditSeal)) for one in seal.members]
        assert len(members) == len(set(members)) == events
        assert current.scalar(select(func.count()).select_from(AuditWaiting)) == 0
        found = evidence.audit()
        entries = current.scalar(select(func.count()).select_from(EvidenceEntry))
        assert (found.broken, found.unsealed, found.entries) == (None, 0, entries)
