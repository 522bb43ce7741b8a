"""The tables that migrations make are the tables that the models describe, on every way there and back."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, inspect, make_url

from kernel import migrate
from kernel.postgres import EmbeddedPostgres


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"migrations_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with psycopg.connect(plain(postgres.url("postgres", role="postgres")), autocommit=True) as connection:
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


def test_a_change_that_waited_before_it_told_what_was_goes_on_waiting(empty_database: str) -> None:
    migrate.upgrade(empty_database, "0014")
    changes = {"redirect_uris": ["https://b.cl/"], "sector": "public", "logo": "f"}
    with psycopg.connect(plain(empty_database), autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO client (id, client_id, name, profile, auth_method, environment, owner, sector, redirect_uris,
                post_logout_redirect_uris, scopes, binding, secrets, created_at, options, contacts, scope_reasons)
            VALUES (gen_random_uuid(), 'a', 'A', 'standard', 'none', 'production', 'agency:AE001', 'agency:AE001',
                '["https://a.cl/"]', '[]', '[]', '{}', '[]', now(), '{}', '[]', '{}')
            """
        )
        connection.execute(
            """
            INSERT INTO approval_request (id, client_id, environment, changes, state, asked_by, asked_at)
            VALUES (gen_random_uuid(), 'a', 'production', %s, 'waiting', 'Ana', now())
            """,
            [Jsonb(changes)],
        )
        migrate.upgrade(empty_database, "0015")
        kept = connection.execute("SELECT changes FROM approval_request").fetchone()
        assert kept == (
            {
                "redirect_uris": {"before": ["https://a.cl/"], "after": ["https://b.cl/"]},
                "sector": {"before": "owner", "after": "public"},
                "logo": {"before": "", "after": "f"},
            },
        )
        migrate.downgrade(empty_database, "0014")
        assert connection.execute("SELECT changes FROM approval_request").fetchone() == (changes,)


def plain(url: str) -> str:
    """The address of a database as its driver takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
