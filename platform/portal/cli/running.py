"""Commands that start something: run, worker, seed."""

from __future__ import annotations

import sys

import click

from kernel.jobs import jobs, loops
from kernel.recording import sealing
from portal import seed as portal_seed
from portal.cli.context import application, with_app
from portal.local.run import run_everything


@click.command()
@click.option("--port", default=8000, show_default=True, help="The portal's; the demonstrations take the two above.")
def run(port: int) -> None:
    """Start everything on this machine, its database included."""
    sys.exit(run_everything(port))


@click.command()
@click.option("--until-empty", is_flag=True, help="Run what waits, seal, and end.")
def worker(until_empty: bool) -> None:
    """Run jobs and seal the audit and the evidence, until told to stop."""
    app = application()
    if until_empty:
        jobs.run_worker(app, until_empty=True)
        sealing.seal_all(app)
        return
    with loops.running(sealing.sealers(app)):
        jobs.run_worker(app)


@click.command()
@with_app
def seed() -> None:
    """Fill the sandbox: test persons, agencies, a shared service and the demonstrations. Twice changes nothing."""
    portal_seed.seed()
    click.echo("The sandbox is ready.")
