"""Fixtures for every test: a clock-free run, and a PostgreSQL shared by the run with a database for each worker.

`database_url` is an empty, migrated database, emptied again after the test. `postgres` is the server itself.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders.apps import under_test
from builders.audit_tags import only_documented
from builders.databases import MIGRATED, SharedDatabase, create_database, superuser
from builders.hsm import a_token
from builders.random_order import AS_THEY_STAND, shuffled
from builders.settings import settings_of_tests
from builders.starts import CompiledTemplates, cheap_passwords, made_once_for_all_applications, rarely_collecting
from builders.stopwatch import in_seconds
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import make_url

from identity.people import rules
from kernel.base.settings import Settings
from kernel.database import migrate
from kernel.database.db import ENGINE
from kernel.jobs.access import Principal, act_as
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres

REAL_HASHER = rules._HASHER

hypothesis_settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer another order, in which no test may fail."""
    meaning = "run the tests in an order that this number gives, instead of as they stand in their files"
    parser.addoption("--random-order-seed", type=int, default=AS_THEY_STAND, help=meaning)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL, and give another order, before pytest brings together what shares a dear fixture."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)
    items[:] = shuffled(items, config.option.random_order_seed)


@pytest.fixture(scope="session", autouse=True)
def every_record_is_documented() -> Iterator[None]:
    """Every tag that a test brings on record is described in `docs/audit-events.md`."""
    with only_documented():
        yield


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def postgres(run_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The run's PostgreSQL: the first worker to need it starts it, the last one to end stops it."""
    server = EmbeddedPostgres(run_dir / "postgres", log=run_dir / "postgres.log", fast=True)
    users = run_dir / "postgres.users"
    with _locked(users):
        if not _living(users):
            _stop_leftovers(run_dir)
        users.write_text("\n".join([*_living(users), str(os.getpid())]))  # first: other runs leave a used server alone
        server.start()
    yield server
    with _locked(users):
        others = [pid for pid in _living(users) if pid != str(os.getpid())]
        users.write_text("\n".join(others))
        if not others:
            server.stop()
            shutil.rmtree(server.data_dir)


def _living(users: Path) -> list[str]:
    return [pid for pid in users.read_text().split() if Path(f"/proc/{pid}").exists()] if users.exists() else []


def _stop_leftovers(run_dir: Path) -> None:
    """Stop the servers of earlier runs that were killed."""
    for directory in run_dir.parent.glob("pytest-*/postgres"):
        if directory.parent != run_dir and not _living(directory.with_name("postgres.users")):
            EmbeddedPostgres(directory).stop()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def worker_database(postgres: EmbeddedPostgres, run_dir: Path) -> str:
    """The URL of this worker's own database, copied from one that was migrated once."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with _locked(run_dir / "template"), superuser(postgres) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [MIGRATED]).fetchone():
            create_database(connection, "template_unfinished", "template1")
            migrate.upgrade(postgres.url("template_unfinished"))
            connection.execute(f"ALTER DATABASE template_unfinished RENAME TO {MIGRATED}")
        create_database(connection, name, MIGRATED)
    return postgres.url(name)


@pytest.fixture(scope="session")
def shared_database(postgres: EmbeddedPostgres, worker_database: str) -> Iterator[SharedDatabase]:
    """This worker's database, with what empties it."""
    with superuser(postgres, make_url(worker_database).database or "") as connection:
        yield SharedDatabase(connection)


@pytest.fixture
def database_url(worker_database: str, shared_database: SharedDatabase) -> Iterator[str]:
    """The URL of a migrated database with no data of any other test."""
    yield worker_database
    shared_database.empty()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation of its own: an empty database and an empty data directory."""
    blocks = tuple(os.environ.get("CORDILLERA_BLOCKS", "all").split(","))
    return settings_of_tests(database_url, tmp_path / "var", blocks=blocks)


@pytest.fixture(scope="session", autouse=True)
def templates() -> Iterator[CompiledTemplates]:
    """A server starts once; the tests start hundreds, of which only the first does what is the same for all."""
    with made_once_for_all_applications(), rarely_collecting(), cheap_passwords():
        yield CompiledTemplates()


@pytest.fixture
def dear_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwords' hash as it is in production."""
    monkeypatch.setattr(rules, "_HASHER", REAL_HASHER)


@pytest.fixture
def app(settings: Settings, templates: CompiledTemplates) -> Iterator[Flask]:
    """The whole application, with nobody signed in."""
    application = under_test(create_app(settings))
    application.jinja_env.bytecode_cache = templates
    yield application
    ENGINE.of(application).dispose()


@pytest.fixture
def no_time_passes() -> Iterator[None]:
    """Warm caches of the process, for tests that count what else it reads."""
    with in_seconds(0):
        yield


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of an HSM of this worker; a process can only open one."""
    with a_token(tmp_path_factory.mktemp("softhsm")) as settings:
        yield settings


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """The application's context, for tests of actions and queries; the system acts unless the test says otherwise."""
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without a window."""
    return app.test_client()
