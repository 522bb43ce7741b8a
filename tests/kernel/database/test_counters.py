"""Counters never count more than their limit allows, nor fewer, whoever counts at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kernel.base import clock
from kernel.base.ids import new_id
from kernel.base.settings import Settings
from kernel.database.counters import KEPT_AFTER_END, SLOTS, Window, add, prune_counters, take, used
from kernel.database.db import new_session, session

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
NAME = "test:calls"
INSTANTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TAKE_ALL = """
import sys, threading
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from kernel.database.counters import Window, take
engine = create_engine(sys.argv[1], pool_size=25)
taken = []
def one():
    for _ in range(8):
        with Session(engine) as session:
            if take(session, "test:calls", "k", Window.DAY, int(sys.argv[2])).is_taken:
                taken.append(1)
            session.commit()
threads = [threading.Thread(target=one) for _ in range(25)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(taken))
"""


def taken(times: int, limit: int, key: str = "k", window: Window = Window.DAY, now: datetime | None = None) -> int:
    counted = 0
    for _ in range(times):
        counted += take(session(), NAME, key, window, limit, now).is_taken
        session().commit()
    return counted


@pytest.mark.parametrize("limit", [0, 1, SLOTS - 1, SLOTS, 3 * SLOTS + 5])
def test_so_many_are_taken_and_no_more(app: Flask, limit: int) -> None:
    with app.app_context():
        assert taken(limit + 5, limit) == limit
        assert used(session(), NAME, "k", Window.DAY) == limit


# With 400 there is one for each attempt: none may be refused, not even the first ones, that make the counter.
@pytest.mark.parametrize("limit", [1, 61, 150, 400])
def test_fifty_at_once_in_two_processes_take_exactly_the_limit(app: Flask, settings: Settings, limit: int) -> None:
    command = [sys.executable, "-c", TAKE_ALL, settings.database_url, str(limit)]
    environment = os.environ | {"PYTHONPATH": str(PLATFORM)}
    started = [subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) for _ in range(2)]
    assert sum(int(process.communicate()[0]) for process in started) == limit
    with app.app_context():
        assert used(session(), NAME, "k", Window.DAY) == limit


def test_the_last_one_is_waited_for_where_its_holder_may_give_it_back(app: Flask) -> None:
    answers: list[bool] = []

    def other() -> None:
        with app.app_context(), new_session() as waiting:
            answers.append(take(waiting, NAME, "k", Window.DAY, 1).is_taken)
            waiting.commit()

    with app.app_context():
        taken(1, 1, now=clock.now() - timedelta(days=2))
        assert take(session(), NAME, "k", Window.DAY, 1).is_taken
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.3)
        assert answers == []
        session().rollback()
        thread.join()
        assert answers == [True]


def test_what_is_rolled_back_is_not_counted(app: Flask) -> None:
    with app.app_context():
        assert take(session(), NAME, "k", Window.DAY, 5).is_taken
        session().rollback()
        assert used(session(), NAME, "k", Window.DAY) == 0


def test_transactions_that_count_the_same_thing_do_not_wait_for_one_another(app: Flask) -> None:
    with app.app_context():
        taken(1, 80)
        with new_session() as one, new_session() as another:
            assert take(one, NAME, "k", Window.DAY, 80).is_taken
            assert take(another, NAME, "k", Window.DAY, 80).is_taken
            another.commit()
            one.commit()
        assert used(session(), NAME, "k", Window.DAY) == 3


@hypothesis_settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=4))
def test_a_limit_that_changes_holds_from_the_next_one_on(app: Flask, turns: list[tuple[int, int]]) -> None:
    with app.app_context():
        count, key = 0, str(new_id())
        for limit, times in turns:
            before = count
            count += taken(times, limit, key)
            # A share may be used up while the limit is not, where it was lowered; never the other way round.
            assert count <= max(limit, before)
        assert used(session(), NAME, key, Window.DAY) == count


def test_the_next_window_begins_anew_and_a_clock_that_is_behind_does_not_open_it(app: Flask) -> None:
    now = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)
    with app.app_context():
        for window in Window:
            key, later = window.name, now + timedelta(seconds=window.value)
            assert taken(3, 2, key, window, now) == 2
            assert taken(3, 2, key, window, later) == 2
            assert taken(3, 2, key, window, now) == 0
            assert used(session(), NAME, key, window, later) == 2


def test_keys_and_names_have_counters_of_their_own(app: Flask) -> None:
    with app.app_context():
        assert taken(2, 1, "a") == 1
        assert taken(2, 1, "b") == 1
        assert take(session(), "test:other", "a", Window.DAY, 1).is_taken


def test_counting_without_a_limit_adds_up(app: Flask) -> None:
    with app.app_context():
        for count in (1, 5, 10):
            add(session(), NAME, "k", Window.HOUR, count)
            session().commit()
        assert used(session(), NAME, "k", Window.HOUR) == 16


def test_what_is_left_is_told_with_each_one(app: Flask) -> None:
    noon = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)
    with app.app_context():
        counts = [take(session(), NAME, "k", Window.DAY, 2, noon) for _ in range(3)]
    assert [(count.is_taken, count.remaining, count.seconds_left) for count in counts] == [
        (True, 1, 43_200),
        (True, 0, 43_200),
        (False, 0, 43_200),
    ]


@given(INSTANTS, st.sampled_from(Window))
def test_a_time_lies_in_its_window_and_the_next_begins_where_it_ends(now: datetime, window: Window) -> None:
    start, end = window.bounds(now)
    assert start <= now < end
    assert window.bounds(end)[0] == end
    assert window.bounds(end - timedelta(seconds=1))[0] == start


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-11-30T12:00:00", 24), ("2026-04-04T12:00:00", 25), ("2026-09-06T12:00:00", 23)]
)
def test_a_day_is_as_long_as_it_is_in_santiago(day: str, hours: int) -> None:
    start, end = Window.DAY.bounds(datetime.fromisoformat(day).replace(tzinfo=clock.SANTIAGO))
    assert end.timestamp() - start.timestamp() == hours * 3600


def test_counters_whose_window_ended_long_ago_are_forgotten(app: Flask) -> None:
    with app.app_context():
        now = clock.now()
        taken(1, 5, "old", Window.MINUTE, now - KEPT_AFTER_END - timedelta(minutes=2))
        taken(1, 5, "new", Window.MINUTE, now)
        prune_counters()
        assert used(session(), NAME, "new", Window.MINUTE, now) == 1
        assert used(session(), NAME, "old", Window.MINUTE, now - KEPT_AFTER_END - timedelta(minutes=2)) == 0
