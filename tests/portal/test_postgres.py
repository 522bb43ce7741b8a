import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from portal.local.postgres import DataDirectoryVersionError, EmbeddedPostgres, PostgresError
from portal.local.postgres_programs import installations

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data", fast=True)
    yield server
    server.stop()


def ask(url: str, statement: str) -> object:
    address = make_url(url).set(drivername="postgresql").render_as_string()
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_server_has_a_database_that_knows_spanish(server: EmbeddedPostgres) -> None:
    url = server.start()
    assert ask(url, "SELECT to_tsvector('spanish', 'los CONVENIOS Ñandú')::text") == "'conveni':2 'ñandu':3"
    assert ask(url, "SELECT current_setting('server_encoding')") == "UTF8"


def test_the_application_is_not_the_superuser(server: EmbeddedPostgres) -> None:
    assert ask(server.start(), "SELECT usesuper FROM pg_user WHERE usename = current_user") is False


def test_the_server_does_not_run_as_root(server: EmbeddedPostgres) -> None:
    server.start()
    assert Path(f"/proc/{server.pid()}").stat().st_uid != 0


def test_data_outlives_a_clean_stop(server: EmbeddedPostgres) -> None:
    ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    assert server.pid() is None
    assert ask(server.start(), "SELECT number FROM kept") == 7


def test_data_outlives_a_killed_server(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS number")
    pid = server.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)
    assert server.pid() is None
    assert ask(server.start(), "SELECT number FROM kept") == 7
    server.stop()


def test_a_second_start_adopts_the_server_that_runs(server: EmbeddedPostgres) -> None:
    server.start()
    pid = server.pid()
    another = EmbeddedPostgres(server.data_dir, fast=True)
    assert ask(another.start(), "SELECT 1") == 1
    assert another.pid() == pid


def test_a_number_taken_by_another_process_is_not_mistaken_for_the_server(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    with subprocess.Popen(["sleep", "60"]) as other:
        (server.data_dir / "postmaster.pid").write_text(
            f"{other.pid}\n{server.data_dir}\n1\n5432\n/nowhere\n\n\nready\n"
        )
        assert server.pid() is None
        assert ask(server.start(), "SELECT 1") == 1
        other.kill()


def test_a_path_too_long_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    with EmbeddedPostgres(deep / "data", fast=True) as server:
        assert ask(server.url(), "SELECT 1") == 1


def test_a_data_directory_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("99\n")
    with pytest.raises(DataDirectoryVersionError, match=r"made by PostgreSQL 99.*Install PostgreSQL 99"):
        EmbeddedPostgres(tmp_path).start()


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(PostgresError, match="not a data directory"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "letter.txt").read_text() == "Dear"


def test_an_interrupted_creation_is_begun_anew(server: EmbeddedPostgres) -> None:
    unfinished = server.data_dir.with_name("data.new")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    assert ask(server.start(), "SELECT 1") == 1


def test_every_installation_on_this_machine_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for installation in list(installations()):
        monkeypatch.setattr("portal.local.postgres_programs.installations", lambda found=installation: iter([found]))
        with EmbeddedPostgres(tmp_path / str(installation.major), fast=True) as server:
            assert str(ask(server.url(), "SHOW server_version")).startswith(str(installation.major))
            assert ask(server.url(), "SELECT to_tsvector('spanish', 'CONVENIOS Ñ')::text") == "'conveni':1 'ñ':2"
