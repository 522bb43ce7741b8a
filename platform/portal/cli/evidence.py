"""Commands over evidence: anyone verifies a receipt, the operator recomputes the log."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from interoperability.evidence import queries
from interoperability.receipts import rules
from portal.cli.context import stop, with_app
from portal.cli.timestamps import in_words, timestamps_of

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def evidence() -> None:
    """Receipts of communications, and the log behind them."""


@evidence.command("verify")
@click.argument("file", type=EXISTING)
@click.option("--keys", type=EXISTING, help="The platform's keys as you trust them (JWK Set), not as the receipt says.")
@click.option("--document", "documents", type=EXISTING, multiple=True, help="A file that must be one of those sent.")
def verify_receipt(file: Path, keys: Path | None, documents: tuple[Path, ...]) -> None:
    """Check the receipt FILE without any server. Exit code 1 when it does not hold."""
    content = file.read_bytes()
    checks = rules.verify(content, None if keys is None else _pinned(keys))
    if all(check.ok for check in checks):
        checks += [_sent_document(content, document) for document in documents]
    for check in checks:
        click.echo(f"{'ok    ' if check.ok else 'BROKEN'}  {check.name}: {check.why}")
    holds = all(check.ok for check in checks)
    click.echo("The receipt holds." if holds else "The receipt does NOT hold.")
    if holds and keys is None:
        click.echo("Its keys are those it brings. Pin the platform's with --keys, from /api/v1/evidence/keys.")
    sys.exit(0 if holds else 1)


def _pinned(path: Path) -> list[dict[str, Any]]:
    try:
        keys = json.loads(path.read_bytes())["keys"]
        return [dict(key) for key in keys]
    except (ValueError, KeyError, TypeError):
        stop(f"{path} is not a JWK Set.", code=2)


def _sent_document(content: bytes, path: Path) -> rules.Check:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{path.name} is one of the documents sent"
    if digest in rules.documents_of(content):
        return rules.Check(name, True, f"SHA-256 {digest}")
    return rules.Check(name, False, f"no document has its SHA-256 {digest}")


@evidence.command("audit")
@with_app
def audit_log() -> None:
    """Recompute the whole evidence log from the database. Exit code 1 when it does not hold."""
    verdict = queries.audit()
    if verdict.broken is not None:
        stop(f"The evidence log is broken: {verdict.broken}. It holds up to record {verdict.entries}.")
    click.echo(f"The evidence log holds: {verdict.entries} records, {verdict.checkpoints} signed checkpoints.")
    if verdict.unsealed:
        click.echo(f"{verdict.unsealed} records wait to be sealed.")
    dated = timestamps_of("evidence")
    if dated.broken is not None:
        stop(f"A timestamp of the evidence log is broken: {dated.broken}.")
    click.echo(in_words(dated))
