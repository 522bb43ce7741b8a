"""Commands for applications and systems: client create, create-system, list, rotate-secret, revoke."""

from __future__ import annotations

import click
from flask import current_app

from identity.agencies.queries import find_agency
from identity.clients import actions, queries
from identity.clients.rules import OPERATOR, usual_scopes
from kernel.errors import Invalid, _
from portal.cli.context import as_json_option, show, with_app

SECRET_METHODS = ("client_secret_basic", "client_secret_post", "none", "private_key_jwt")


@click.group()
def client() -> None:
    """Applications that people sign in to, and agencies' systems."""


@client.command("create")
@click.option("--name", required=True, help="What people read when they are asked to share their data.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True, help="Where to return to; repeatable.")
@click.option("--post-logout-redirect-uri", "logout_uris", multiple=True, help="Where to go after leaving; repeatable.")
@click.option("--profile", required=True, type=click.Choice(["clave-unica", "standard", "fapi2"]))
@click.option(
    "--auth-method", type=click.Choice(SECRET_METHODS), help="Basic or post, whichever it uses, if not given."
)
@click.option("--jwks", type=click.File("rb"), help="Public keys of a client that signs instead of having a secret.")
@click.option("--scope", "scopes", multiple=True, help="Besides the usual ones, such as offline_access; repeatable.")
@click.option("--environment", type=click.Choice(["sandbox", "production"]), default="sandbox", show_default=True)
@click.option("--owner", default=OPERATOR, help="agency:<code> or developer:<id>.")
@as_json_option
@with_app
def create(
    name: str,
    redirect_uris: tuple[str, ...],
    logout_uris: tuple[str, ...],
    profile: str,
    auth_method: str | None,
    jwks: object,
    scopes: tuple[str, ...],
    environment: str,
    owner: str,
    as_json: bool,
) -> None:
    """Register an application; its secret is printed this once."""
    if jwks is not None:
        raise Invalid(fields={"jwks": [_("Keys in place of secrets are not offered yet.")]})
    named = [scope for given in scopes for scope in given.split()]
    made = actions.create_client(
        name,
        profile,
        redirect_uris,
        post_logout_redirect_uris=logout_uris,
        scopes=[*usual_scopes(profile), *named] if named else (),
        environment=environment,
        owner=owner,
        auth_method=auth_method,
    )
    show(
        {
            "client_id": made.client.client_id,
            "client_secret": made.secret,
            "name": made.client.name,
            "profile": made.client.profile,
            "environment": made.client.environment,
            "auth_method": made.client.auth_method,
            "redirect_uris": made.client.redirect_uris,
            "post_logout_redirect_uris": made.client.post_logout_redirect_uris,
            "scope": " ".join(made.client.scopes),
        },
        as_json,
    )


@client.command("create-system")
@click.option("--name", required=True, help="What its agency calls the system.")
@click.option("--agency", required=True, help="Code of the agency it belongs to, such as AE001.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; repeatable, or with spaces.")
@click.option("--environment", type=click.Choice(["sandbox", "production"]), default="production", show_default=True)
@as_json_option
@with_app
def create_system(name: str, agency: str, scopes: tuple[str, ...], environment: str, as_json: bool) -> None:
    """Register an agency's system, which calls our interfaces with its own tokens; its secret is printed this once."""
    if find_agency(agency) is None:
        raise Invalid(fields={"agency": [_("There is no agency with this code.")]})
    asked = {scope for given in scopes for scope in given.split()}
    offered = current_app.extensions["cordillera.machine_scopes"]
    if unknown := sorted(asked - set(offered)):
        raise Invalid(
            fields={
                "scopes": [
                    _(
                        "Not offered: %(unknown)s. Choose among %(offered)s.",
                        unknown=", ".join(unknown),
                        offered=", ".join(offered),
                    )
                ]
            }
        )
    made = actions.create_machine_client(name, agency, asked, environment=environment)
    show(
        {
            "client_id": made.client.client_id,
            "client_secret": made.secret,
            "name": made.client.name,
            "agency": agency,
            "environment": made.client.environment,
            "scope": " ".join(made.client.scopes),
        },
        as_json,
    )


@client.command("list")
@as_json_option
@with_app
def list_clients(as_json: bool) -> None:
    """The newest clients."""
    found = {
        each.client_id: {
            "name": each.name,
            "profile": each.profile,
            "environment": each.environment,
            "owner": each.owner,
            "revoked_at": each.revoked_at,
        }
        for each in queries.all_clients()
    }
    show(found, as_json)


@client.command("rotate-secret")
@click.argument("client_id")
@as_json_option
@with_app
def rotate_secret(client_id: str, as_json: bool) -> None:
    """Give a client a new secret; the one before it works for seven more days."""
    show({"client_id": client_id, "client_secret": actions.rotate_secret(client_id)}, as_json)


@client.command("revoke")
@click.argument("client_id")
@as_json_option
@with_app
def revoke(client_id: str, as_json: bool) -> None:
    """End a client for good."""
    actions.revoke_client(client_id)
    show({"client_id": client_id, "revoked": True}, as_json)
