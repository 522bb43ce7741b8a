"""The tables that migrations make are the tables that the models describe, on every way there and back."""

import os
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, func, inspect, make_url, select, text
from sqlalchemy.orm import Session

from kernel.database import migrate
from kernel.recording.audit_chain import GENESIS, AuditWaiting, Verdict, chain, verify
from portal.local.postgres import EmbeddedPostgres

EVENT_WITH_A_SEAL = """
INSERT INTO audit_event (id, at, tag, actor_kind, actor, actor_name, subject, request_id, detail, seal, position)
VALUES (uuidv7(), now(), 'access:refused', 'system', '', '', 'path:/', '', '{}', :seal, :position)
"""
SEALED = text("SELECT * FROM audit_event WHERE seal = 1 ORDER BY position")


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


def test_a_chain_of_seals_made_when_events_named_them_holds_on_both_ways(empty_database: str) -> None:
    migrate.upgrade(empty_database, "0016")
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for seal, position in ((1, 0), (1, 1), (None, None)):
            connection.execute(text(EVENT_WITH_A_SEAL), {"seal": seal, "position": position})
        sealed = connection.execute(SEALED).all()
        connection.execute(text("INSERT INTO audit_seal VALUES (1, now(), 2, :hash)"), {"hash": chain(GENESIS, sealed)})
    for _ in range(2):
        migrate.upgrade(empty_database)
        with Session(engine) as session:
            assert verify(session) == Verdict(seals=1, events=2, broken_at=None)
            assert session.scalar(select(func.count()).select_from(AuditWaiting)) == 1
        migrate.downgrade(empty_database, "0016")
        with engine.begin() as connection:
            assert connection.execute(SEALED).all() == sealed
    engine.dispose()


BEFORE_FUNCTIONS = """
INSERT INTO agency (id, code, name, is_authority, created_at)
    VALUES (gen_random_uuid(), 'AE001', 'Uno', true, '2024-05-02T01:00:00Z');
INSERT INTO person (id, run_number, run_dv, given_names, family_names, password_hash, is_test_person, created_at,
    password_changed_at, language, language_is_chosen)
    VALUES ('00000000-0000-0000-0000-000000000001', 11111111, '1', '[]', '[]', '', false, now(), now(), 'es', false);
INSERT INTO membership (id, agency_code, person_id, role, created_at)
    SELECT gen_random_uuid(), 'AE001', '00000000-0000-0000-0000-000000000001', role, '2024-05-02T01:00:00Z'
    FROM unnest(ARRAY['administrator', 'publisher']) role;
"""
ROLES = "SELECT role FROM membership ORDER BY role"


def test_nobody_loses_or_gains_a_right_when_roles_become_functions(empty_database: str) -> None:
    migrate.upgrade(empty_database, "0026")
    with psycopg.connect(plain(empty_database), autocommit=True) as connection:
        connection.execute(BEFORE_FUNCTIONS)
        migrate.upgrade(empty_database)
        held = "SELECT function, is_deputy, starts_on, ends_on, ended_at FROM appointment ORDER BY function"
        begun = date(2024, 5, 1)  # in Chile
        assert connection.execute(held).fetchall() == [
            ("administrator", False, begun, None, None),
            ("publisher", False, begun, None, None),
        ]
        agency = connection.execute("SELECT kind, parent_code, valid_from, valid_until FROM agency").fetchone()
        assert agency == ("service", None, begun, None)
        history = connection.execute("SELECT counts_from, fields FROM agency_change").fetchone()
        assert history == (begun, {"name": "Uno", "kind": "service", "parent": None})
        connection.execute("UPDATE appointment SET ended_at = now() WHERE function = 'publisher'")
        assert connection.execute(ROLES).fetchall() == [("administrator",)], "nodes of the version before see the end"
        connection.execute(
            "INSERT INTO membership SELECT gen_random_uuid(), agency_code, person_id, 'correspondent', now() "
            "FROM membership"
        )
        assert len(connection.execute(held).fetchall()) == 3, "and what they write counts"
        migrate.downgrade(empty_database, "0026")
        assert connection.execute(ROLES).fetchall() == [("administrator",), ("correspondent",)]
