"""Commands for who may call whom on behalf of people: what `cordillera exchange` does (RFC 8693)."""

from __future__ import annotations

import click

from identity.clients.token_exchange_policies.actions import allow_exchange, forbid_exchange
from portal.cli.context import as_json_option, show, with_app


@click.group()
def exchange() -> None:
    """Token exchange: which client may call which other one on behalf of the people who signed in."""


@exchange.command("allow")
@click.argument("actor")
@click.argument("target")
@click.option("--scope", "scopes", multiple=True, required=True, help="What for, and nothing else; repeatable.")
@as_json_option
@with_app
def allow(actor: str, target: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Let the client ACTOR call the client TARGET, for these scopes from now on."""
    policy = allow_exchange(actor, target, scopes)
    show({"actor": actor, "target": target, "scopes": policy.scopes}, as_json)


@exchange.command("forbid")
@click.argument("actor")
@click.argument("target")
@as_json_option
@with_app
def forbid(actor: str, target: str, as_json: bool) -> None:
    """End what the client ACTOR may do at TARGET."""
    forbid_exchange(actor, target)
    show({"actor": actor, "target": target, "scopes": []}, as_json)
