"""The root of the operator's commands. Each is imported when it is asked for, so that a small one starts at once."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "run": "running:run",
    "worker": "running:worker",
    "seed": "running:seed",
    "settings": "tables:settings",
    "db": "tables:db",
    "audit": "upkeep:audit",
    "keys": "upkeep:keys",
    "jobs": "upkeep:jobs",
    "person": "registry:person",
    "agency": "registry:agency",
    "client": "client:client",
    "exchange": "exchange:exchange",
    "evidence": "evidence:evidence",
}


class Commands(click.Group):
    """A group whose commands live in modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"portal.cli.{module}"), attribute)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Cordillera, for those who operate it."""
