"""Migrations: one linear history, applied under a lock so that several nodes may start at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from kernel.database.partitions import create_ahead

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
ONE_AT_A_TIME = 7_214_002


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision` and create the partitions of the coming months."""
    engine = create_engine(database_url)
    with engine.connect() as lock:
        lock.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
        command.upgrade(configuration(database_url), revision)
        with engine.begin() as connection:
            create_ahead(connection)
    engine.dispose()


def downgrade(database_url: str, revision: str) -> None:
    """Go back to `revision`; `base` empties the database."""
    command.downgrade(configuration(database_url), revision)


def configuration(database_url: str) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config
