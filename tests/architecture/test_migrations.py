"""The tables that migrations make are the tables that the models describe, on every way there and back."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url

from kernel import migrate
from kernel.postgres import EmbeddedPostgres


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"migrations_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    server = make_url(postgres.url("postgres", role="postgres")).set(drivername="postgresql")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} OWNER cordillera")
        yield postgres.url(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def left_over(url: str) -> list[str]:
    engine = create_engine(url)
    tables = [name for name in inspect(engine).get_table_names() if name != "alembic_version"]
    engine.dispose()
    return tables


def test_up_down_and_up_again_gives_what_the_models_say(empty_database: str) -> None:
    migrate.upgrade(empty_database)
    migrate.downgrade(empty_database, "base")
    assert left_over(empty_database) == []
    migrate.upgrade(empty_database)
    command.check(migrate.configuration(empty_database))


def test_the_history_is_one_line() -> None:
    script = ScriptDirectory.from_config(migrate.configuration(""))
    assert len(script.get_heads()) == 1
    assert all(isinstance(revision.down_revision, str | None) for revision in script.walk_revisions())
