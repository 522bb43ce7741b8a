"""The PostgreSQL of the bench: the one of the house, with its safety on, and an empty database for each peer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from portal.local.postgres import EmbeddedPostgres


@dataclass(frozen=True)
class Database:
    """An empty database, and the parts of its address for those who want them apart."""

    name: str
    user: str
    socket_dir: str
    url: str


class Server:
    """The running server."""

    def __init__(self, folder: Path) -> None:
        self._postgres = EmbeddedPostgres(folder / "postgres", log=folder / "postgres.log")

    def start(self) -> None:
        self._postgres.start()

    def stop(self) -> None:
        self._postgres.stop()

    @property
    def pid(self) -> int:
        found = self._postgres.pid()
        if found is None:
            raise RuntimeError("PostgreSQL has ended")
        return found

    def empty_database(self, name: str) -> Database:
        """Make the database anew; what was in it is gone."""
        superuser = make_url(self._postgres.url("postgres", role="postgres")).set(drivername="postgresql")
        with psycopg.connect(superuser.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER cordillera").format(sql.Identifier(name)))
        url = make_url(self._postgres.url(name))
        return Database(name, str(url.username), str(url.query["host"]), url.render_as_string(hide_password=False))
