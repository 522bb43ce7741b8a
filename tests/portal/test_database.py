"""The database of a house that runs: whatever happens to it, it comes back with its data, or the house says why not."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from portal.local import database
from portal.local.database import DataGone, KeptAlive
from portal.local.postgres import PORT, EmbeddedPostgres

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120


class Watched:
    """A database that is kept alive, and what was said of it."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.postgres = EmbeddedPostgres(folder / "postgres", log=folder / "postgres.log")
        self.kept = KeptAlive(self.postgres, self.said.append)

    def watch_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < until, self.said
            self.kept.watch()
            time.sleep(0.05)

    def is_back(self, before: int) -> bool:
        return self.postgres.pid() not in (None, before) and self.postgres.answers()

    def pid(self) -> int:
        found = self.postgres.pid()
        assert found is not None
        return found


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(database, "ASKED_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(database, "SILENT_SECONDS", 1.0)
    found = Watched(tmp_path)
    found.kept.start()
    with psycopg.connect(host=socket_dir(found), port=PORT, user="cordillera", dbname="cordillera") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    yield found
    found.postgres.stop()


def socket_dir(watched: Watched) -> str:
    return str(watched.postgres._socket_dir())  # where its socket is, is nobody else's affair


def has_its_data(watched: Watched) -> bool:
    with psycopg.connect(host=socket_dir(watched), port=PORT, user="cordillera", dbname="cordillera") as connection:
        return connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_it_is_tried_again_where_it_is_killed_while_it_starts(watched: Watched) -> None:
    first, times = watched.pid(), 3

    def kill_whatever_starts() -> None:
        killed: set[int] = set()
        while len(killed) < times:
            pid = watched.postgres.pid()
            if pid is not None and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.002)

    killer = threading.Thread(target=kill_whatever_starts)
    killer.start()
    watched.watch_until(lambda: not killer.is_alive() and watched.is_back(first))
    assert has_its_data(watched)
    pauses = [line for line in watched.said if "tried again in" in line]
    assert pauses, watched.said


def test_one_that_lives_without_its_address_is_started_again(watched: Watched) -> None:
    before = watched.pid()
    (Path(socket_dir(watched)) / f".s.PGSQL.{PORT}").unlink()
    watched.watch_until(lambda: watched.is_back(before))
    assert has_its_data(watched)
    assert any("no longer answers at its address" in line for line in watched.said)


def test_one_that_is_frozen_is_started_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.local.postgres.ENDS_SECONDS", 1)
    monkeypatch.setattr("portal.local.postgres.ANSWERS_WITHIN_SECONDS", 2)  # the least that libpq waits
    before = watched.pid()
    os.kill(before, signal.SIGSTOP)
    watched.watch_until(lambda: watched.is_back(before))
    assert has_its_data(watched)


def test_one_that_answers_is_left_alone(watched: Watched) -> None:
    before, until = watched.pid(), time.monotonic() + 3
    watched.watch_until(lambda: time.monotonic() > until)
    assert (watched.pid(), watched.said) == (before, [])


def test_data_that_was_taken_away_is_told_and_nothing_begun_in_its_place(watched: Watched, tmp_path: Path) -> None:
    pid, data = watched.pid(), watched.postgres.data_dir
    watched.kept.watch()
    shutil.move(data, tmp_path / "elsewhere")
    with pytest.raises(DataGone, match="taken away"):
        watched.watch_until(lambda: False)
    assert not data.exists()
    watched.kept.stop()
    until = time.monotonic() + PATIENCE_SECONDS
    while watched.postgres.is_server(pid):
        assert time.monotonic() < until
        time.sleep(0.05)
    shutil.move(tmp_path / "elsewhere", data)
    watched.postgres.start()
    assert has_its_data(watched)
