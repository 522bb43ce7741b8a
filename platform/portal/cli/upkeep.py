"""Commands of the daily round: audit, keys, jobs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta

import click

from kernel.database.db import session
from kernel.keys import signatures as kernel_keys
from kernel.recording import audit_chain, job_admin
from portal.cli.context import as_json_option, show, with_app
from portal.cli.timestamps import as_members, in_words, timestamps_of


@click.group()
def audit() -> None:
    """The record of who did what."""


@audit.command()
@as_json_option
@with_app
def verify(as_json: bool) -> None:
    """Recompute the chain of seals; exit code 1 if it does not hold, or if there are events outside of it."""
    verdict = audit_chain.verify(session())
    dated = timestamps_of("audit")
    show(asdict(verdict) | as_members(dated), as_json)
    if verdict.broken_at is not None:
        click.echo(f"BROKEN: seal {verdict.broken_at} does not hold.", err=True)
        sys.exit(1)
    if verdict.strays:
        click.echo(f"BROKEN: {verdict.strays} events have no seal and do not wait for one.", err=True)
        sys.exit(1)
    if dated.broken is not None:
        click.echo(f"BROKEN: {dated.broken}.", err=True)
        sys.exit(1)
    if not as_json:
        click.echo(f"The chain holds. {in_words(dated)}")


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
    """Jobs in the background."""


@jobs.command("list")
@click.option("--status", type=click.Choice(["todo", "doing", "failed"]), default="failed", show_default=True)
@with_app
def list_jobs(status: str) -> None:
    """Show jobs, oldest first, at most a hundred."""
    for job in job_admin.find(session(), status=status, limit=100):
        show(job._asdict(), as_json=True)


@jobs.command()
@click.argument("job_id", type=int)
@with_app
def replay(job_id: int) -> None:
    """Run a failed job again."""
    job_admin.replay(job_id)
    click.echo(f"Job {job_id} waits to run again.")
