"""The root of the operator's commands."""

from __future__ import annotations

import click

from portal.cli import client, evidence, operations, registry


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Cordillera, for those who operate it."""


for command in (
    operations.run,
    operations.worker,
    operations.seed,
    operations.settings,
    operations.db,
    operations.audit,
    operations.keys,
    operations.jobs,
    registry.person,
    registry.agency,
    client.client,
    evidence.evidence,
):
    main.add_command(command)
