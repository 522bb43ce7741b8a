"""Removing what has ended, a batch at a time."""

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, insert, select

from identity.authentication.login_throttling.actions import delete_old_counters, prune_counters
from identity.authentication.login_throttling.models import SignInThrottle
from identity.authentication.login_throttling.rules import FORGET_FAILURES_AFTER
from kernel.base.clock import now
from kernel.database import pruning
from kernel.database.db import new_session, session


def _fill(ended: int, living: int) -> None:
    before = now() - FORGET_FAILURES_AFTER - timedelta(minutes=1)
    times = [before] * ended + [now()] * living
    rows = [
        {"key": f"account:{number}", "failures": 1, "counted_at": at, "allowed_at": at}
        for number, at in enumerate(times)
    ]
    session().execute(insert(SignInThrottle), rows)
    session().commit()


def _count() -> int:
    return session().scalar(select(func.count()).select_from(SignInThrottle)) or 0


def test_only_what_has_ended_goes_however_many_batches_it_takes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 10)
    with app.app_context():
        _fill(ended=25, living=3)
        assert delete_old_counters() == 10
        assert _count() == 18
        prune_counters()
        assert _count() == 3
        assert delete_old_counters() == 0


def test_a_row_in_use_is_left_for_the_next_time_and_nobody_waits(app: Flask) -> None:
    with app.app_context():
        _fill(ended=5, living=0)
        with new_session() as other:
            other.scalars(select(SignInThrottle).where(SignInThrottle.key == "account:0").with_for_update()).one()
            assert delete_old_counters() == 4
            other.rollback()
        assert delete_old_counters() == 1


def test_two_sweeps_at_once_share_the_work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 5)
    removed: list[int] = []

    def sweep() -> None:
        with app.app_context():
            removed.append(pruning.until_empty(delete_old_counters))

    with app.app_context():
        _fill(ended=60, living=0)
    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        pruning.until_empty(delete_old_counters)
        assert _count() == 0
    assert sum(removed) <= 60
