"""One leads at a time, and another takes over: from the dead, from who stands still, and from a database before it
restarted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders.waiting import wait_until
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from kernel.base.settings import Settings
from kernel.database.db import new_session
from kernel.database.leader import leads
from portal.local.postgres import EmbeddedPostgres

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
LEADER = """
import sys, time
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from kernel.database.leader import leads
with Session(create_engine(sys.argv[1])) as session:
    print(leads(session, "test", 60), flush=True)
    sys.stdin.readline()
    session.execute(text("SELECT 1"))
    session.commit()
    print("done", flush=True)
"""
LONG, SHORT = 3600.0, 0.5


@pytest.fixture
def leader(settings: Settings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start another process that leads until it is told to go on."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LEADER, settings.database_url],
            env=os.environ | {"PYTHONPATH": str(PLATFORM)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def takes_over(app: Flask, seconds: float) -> bool:
    with app.app_context(), new_session() as session:
        return leads(session, "test", seconds)


def test_one_leads_until_its_transaction_ends(app: Flask, leader: Callable[[], subprocess.Popen[str]]) -> None:
    process = leader()
    assert not takes_over(app, LONG)
    with app.app_context(), new_session() as session:
        assert leads(session, "another", LONG)
    assert process.communicate("\n")[0] == "done\n"
    assert takes_over(app, LONG)
    assert takes_over(app, LONG)


def test_a_leader_that_is_killed_is_followed_at_once(app: Flask, leader: Callable[[], subprocess.Popen[str]]) -> None:
    process = leader()
    process.kill()
    wait_until(lambda: takes_over(app, LONG))


def test_a_leader_that_stands_still_loses_its_place_and_its_transaction(
    app: Flask, leader: Callable[[], subprocess.Popen[str]]
) -> None:
    process = leader()
    process.send_signal(signal.SIGSTOP)
    assert not takes_over(app, LONG)
    wait_until(lambda: takes_over(app, SHORT))
    process.send_signal(signal.SIGCONT)
    assert process.communicate("\n")[0] == ""
    assert process.returncode == 1


def test_nobody_leads_after_the_database_restarted(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres", log=tmp_path / "postgres.log")
    before = Session(create_engine(postgres.start()))
    assert leads(before, "test", LONG)
    postgres.stop()
    after = Session(create_engine(postgres.start()))
    try:
        assert leads(after, "test", LONG)
    finally:
        after.close()
        before.invalidate()
        postgres.stop()
