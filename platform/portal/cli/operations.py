"""Commands that keep an installation up: run, worker, db, seed, audit, keys, jobs."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

import click
from rich.console import Console
from rich.table import Table

from kernel import audit as kernel_audit
from kernel import backlog, migrate, sealing
from kernel import jobs as kernel_jobs
from kernel import keys as kernel_keys
from kernel.db import session
from kernel.settings import manual
from portal import seed as portal_seed
from portal.cli.context import application, as_json_option, load_settings, show, with_app
from portal.run import run_everything


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
        kernel_jobs.run_worker(app, until_empty=True)
        sealing.seal_all(app)
        return
    stopping = threading.Event()
    sealer = threading.Thread(target=sealing.seal_until, args=(app, stopping), name="sealer")
    sealer.start()
    try:
        kernel_jobs.run_worker(app)
    finally:
        stopping.set()
        sealer.join()


@click.command()
@with_app
def seed() -> None:
    """Fill the sandbox: test persons, agencies, a shared service and the demonstrations. Twice changes nothing."""
    portal_seed.seed()
    click.echo("The sandbox is ready.")


@click.command()
def settings() -> None:
    """List every setting: its variable, its default and what it means."""
    table = Table("Variable", "Default", "Meaning", box=None)
    for row in manual():
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


@click.group()
def audit() -> None:
    """The record of who did what."""


@audit.command()
@as_json_option
@with_app
def verify(as_json: bool) -> None:
    """Recompute the chain of seals; exit code 1 if it does not hold."""
    verdict = kernel_audit.verify(session())
    show({"seals": verdict.seals, "events": verdict.events, "broken_at": verdict.broken_at}, as_json)
    if verdict.broken_at is not None:
        click.echo(f"BROKEN: seal {verdict.broken_at} does not hold.", err=True)
        sys.exit(1)
    if not as_json:
        click.echo("The chain holds.")


@click.group()
def keys() -> None:
    """The keys that sign."""


@keys.command("rotate")
@click.argument("purpose")
@click.option("--algorithm", type=click.Choice(kernel_keys.ALGORITHMS), default="ES256", show_default=True)
@click.option("--signs-in", default=24.0, show_default=True, help="Hours from now; clients read the key set before.")
@as_json_option
@with_app
def rotate(purpose: str, algorithm: str, signs_in: float, as_json: bool) -> None:
    """Publish the next key of PURPOSE (openid, evidence) and retire the one that signs now; no signature fails."""
    key = kernel_keys.rotate_key(purpose, algorithm, timedelta(hours=signs_in))
    show({"kid": key.kid, "signs_from": key.signs_from.isoformat()}, as_json)


@keys.command("list")
@click.argument("purpose")
@with_app
def list_keys(purpose: str) -> None:
    """Show the public keys of PURPOSE as a JWK Set."""
    show(kernel_keys.public_jwks(purpose), as_json=True)


@click.group()
def jobs() -> None:
    """What is done in the background."""


@jobs.command("list")
@click.option("--status", type=click.Choice(["todo", "doing", "failed"]), default="failed", show_default=True)
@with_app
def list_jobs(status: str) -> None:
    """Show jobs, oldest first, at most a hundred."""
    for job in backlog.find(session(), status=status, limit=100):
        show(job._asdict(), as_json=True)


@jobs.command()
@click.argument("job_id", type=int)
@with_app
def replay(job_id: int) -> None:
    """Run a failed job again."""
    backlog.replay(job_id)
    click.echo(f"Job {job_id} waits to run again.")
