"""Databases of tests: the one that is emptied after each, and others for a house that lives through several."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from portal.local.postgres import EmbeddedPostgres

MIGRATED = "template_migrated"
"""The database with every table and no data, which the first test that needs one makes."""

END_OTHER_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND usename <> 'postgres'
"""
"""Ends what others do in this database, but for autovacuum and the superuser, which the database's owner may not."""

TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""

RESTART_IDENTITIES = """
    SELECT setval(seqrelid, seqstart, false) FROM pg_sequence JOIN pg_depend ON objid = seqrelid
    WHERE classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
"""


@contextmanager
def superuser(postgres: EmbeddedPostgres, database: str = "postgres") -> Iterator[psycopg.Connection]:
    """The server's own user, who may make and end databases."""
    url = make_url(postgres.url(database, role="postgres")).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


def create_database(connection: psycopg.Connection, name: str, template: str) -> None:
    """A new database of this name, whatever an earlier run left behind."""
    statement = sql.SQL("CREATE DATABASE {} OWNER cordillera TEMPLATE {}")
    drop_database(connection, name)
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop_database(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class SharedDatabase:
    """A migrated database that one test after another has for its own. What migrations fill stays for all of them.

    connection: a superuser's, in this database, that commits each statement.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        # Append-only tables refuse to be emptied, by triggers that a replica does not fire.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET lock_timeout = '1s'")
        tables = [name for (name,) in connection.execute(TABLES)]
        filled_by_migrations = self._filled(tables)
        self._tables = [name for name in tables if name not in filled_by_migrations]

    def empty(self) -> None:
        """Remove what the test left."""
        tables = self._filled(self._tables)
        if not tables:
            return
        try:
            self._delete(tables)
        except psycopg.errors.LockNotAvailable:
            # The test left a transaction open; the next test must not pay for it.
            self._connection.execute(END_OTHER_CONNECTIONS)
            self._delete(tables)

    def _filled(self, tables: list[str]) -> list[str]:
        """Those of the tables that hold a row, found in one round trip."""
        each = [f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables]
        return [name for (name,) in self._connection.execute(" UNION ALL ".join(each))]

    def _delete(self, tables: list[str]) -> None:
        # TRUNCATE would make every file of the tables and of their indexes anew: far dearer where there are few rows.
        with self._connection.transaction():
            self._connection.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
            self._connection.execute(";".join(f"DELETE FROM {table}" for table in tables))
            self._connection.execute(RESTART_IDENTITIES)


@contextmanager
def a_database(postgres: EmbeddedPostgres, name: str, template: str = MIGRATED) -> Iterator[str]:
    """The URL of a database of this worker, which ends with the block."""
    name = f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with superuser(postgres) as connection:
        create_database(connection, name, template)
        yield postgres.url(name)
        drop_database(connection, name)
