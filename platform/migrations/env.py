"""Alembic's environment: the models of every block, the address it is given, or that of the settings."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from kernel.base import settings
from kernel.database.db import Base
from portal.wiring import import_models

import_models()


def ours(name: str | None, kind: str, parents: object) -> bool:
    """Leave out partitions, which the application creates itself, and the job queue's own tables."""
    return not (kind == "table" and name and (name.startswith("procrastinate_") or "_default" in name or "_y2" in name))


def run() -> None:
    url = context.config.attributes.get("database_url") or settings.load().database_url
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=ours,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
