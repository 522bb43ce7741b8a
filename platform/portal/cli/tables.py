"""Commands over what is declared: the settings and the tables."""

from __future__ import annotations

from itertools import chain

import click
from rich.console import Console
from rich.table import Table

from kernel.base.settings import manual
from kernel.database import migrate
from portal.cli.context import load_settings
from portal.wiring import declared_settings


@click.command()
def settings() -> None:
    """List every setting: its variable, its default and what it means."""
    table = Table("Variable", "Default", "Meaning", box=None)
    for row in chain(manual(), *map(manual, declared_settings())):
        table.add_row(*row)
    Console().print(table)


@click.group()
def db() -> None:
    """The tables."""


@db.command()
@click.option("--revision", default="head", show_default=True)
def upgrade(revision: str) -> None:
    """Bring the tables up to date."""
    migrate.upgrade(load_settings().database_url, revision)


@db.command()
@click.argument("revision")
@click.confirmation_option(prompt="Tables and their data may be dropped. Go on?")
def downgrade(revision: str) -> None:
    """Take the tables back to REVISION."""
    migrate.downgrade(load_settings().database_url, revision)
