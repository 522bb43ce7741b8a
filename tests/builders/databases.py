"""Databases beside the one that is emptied after every test, for a house that lives through several tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from kernel.postgres import EmbeddedPostgres

MIGRATED = "template_migrated"
"""The database with every table and no data, which the first test that needs one makes."""

END_OTHER_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
"""Ends what others do in this database, but for its autovacuum, which the database's owner may not end."""


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


@contextmanager
def a_database(postgres: EmbeddedPostgres, name: str, template: str = MIGRATED) -> Iterator[str]:
    """The URL of a database of this worker, which ends with the block."""
    name = f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with superuser(postgres) as connection:
        create_database(connection, name, template)
        yield postgres.url(name)
        drop_database(connection, name)
