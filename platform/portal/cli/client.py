"""Commands for applications and systems: what `cordillera client` does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import BinaryIO

import click
from flask import current_app

from identity.agencies.queries import find_agency
from identity.client_keys.rules import MAX_JWKS_BYTES
from identity.clients import actions, queries
from identity.clients.rules import ENVIRONMENTS, OPERATOR, scopes_of, usual_scopes
from identity.profiles.rules import AUTH_METHODS, PROFILES
from identity.registration import actions as registration
from kernel.errors import Invalid, _
from portal.cli.context import as_json_option, show, with_app


@click.group()
def client() -> None:
    """Applications that people sign in to, and agencies' systems."""


def keys_of(ctx: click.Context, parameter: click.Parameter, file: BinaryIO | None) -> object:
    """The JSON in the file; a single key counts as a set of one."""
    if file is None:
        return None
    try:
        found = json.loads(file.read(MAX_JWKS_BYTES + 1))
    except (ValueError, RecursionError) as error:
        raise click.BadParameter("is not JSON") from error
    return {"keys": [found]} if isinstance(found, dict) and "kty" in found else found


jwks_option = click.option(
    "--jwks", type=click.File("rb"), callback=keys_of, help="Public keys of a client that signs (JSON Web Key Set)."
)
jwks_uri_option = click.option("--jwks-uri", help="Where the client publishes them instead.")
auth_method_option = click.option(
    "--auth-method", type=click.Choice(AUTH_METHODS[1:]), help="The first that the profile allows, if not given."
)
subject_option = click.option(
    "--tls-subject-dn", help="The subject of its certificate (RFC 4514), with --auth-method tls_client_auth."
)


@client.command("create")
@click.option("--name", required=True, help="What people read when they are asked to share their data.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True, help="Where to return to; repeatable.")
@click.option("--post-logout-redirect-uri", "logout_uris", multiple=True, help="Where to go after leaving; repeatable.")
@click.option("--profile", required=True, type=click.Choice(list(PROFILES)))
@auth_method_option
@jwks_option
@jwks_uri_option
@subject_option
@click.option("--scope", "scopes", multiple=True, help="Besides the usual ones, such as offline_access; repeatable.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="sandbox", show_default=True)
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
    jwks_uri: str | None,
    tls_subject_dn: str | None,
    scopes: tuple[str, ...],
    environment: str,
    owner: str,
    as_json: bool,
) -> None:
    """Register an application; its secret, if it has one, is printed this once."""
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
        jwks=jwks,
        jwks_uri=jwks_uri,
        options={"tls_client_auth_subject_dn": tls_subject_dn} if tls_subject_dn else {},
    )
    show(_told(made), as_json)


@client.command("change")
@click.argument("client_id")
@click.option("--profile", type=click.Choice(list(PROFILES)))
@auth_method_option
@jwks_option
@jwks_uri_option
@as_json_option
@with_app
def change(
    client_id: str, profile: str | None, auth_method: str | None, jwks: object, jwks_uri: str | None, as_json: bool
) -> None:
    """Give a client another profile, way to authenticate or keys; its secret stays where it still needs one."""
    asked = queries.registration_of(queries.any_client(client_id))
    if jwks is not None or jwks_uri is not None:
        asked = replace(asked, jwks=jwks, jwks_uri=jwks_uri)
    asked = replace(
        asked,
        profile=profile or asked.profile,
        auth_method=auth_method or asked.auth_method,
        scopes=[scope for scope in asked.scopes if scope in scopes_of(profile or asked.profile)],
    )
    show(_told(actions.change_registration(client_id, asked)), as_json)


def _told(made: actions.NewClient) -> dict[str, object]:
    return {
        "client_id": made.client.client_id,
        "client_secret": made.secret,
        "name": made.client.name,
        "profile": made.client.profile,
        "environment": made.client.environment,
        "auth_method": made.client.auth_method,
        "redirect_uris": made.client.redirect_uris,
        "post_logout_redirect_uris": made.client.post_logout_redirect_uris,
        "scope": " ".join(made.client.scopes),
    }


@client.command("create-system")
@click.option("--name", required=True, help="What its agency calls the system.")
@click.option("--agency", required=True, help="Code of the agency it belongs to, such as AE001.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; repeatable, or with spaces.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="production", show_default=True)
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


@client.command("create-initial-token")
@click.option("--owner", default=OPERATOR, show_default=True, help="agency:<code>, whose the clients will be.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="production", show_default=True)
@click.option("--purpose", required=True, help="What it is for, in a sentence.")
@click.option("--uses", default=1, show_default=True, help="How many clients it registers.")
@click.option("--days", default=30, show_default=True, help="How long it lives.")
@as_json_option
@with_app
def create_initial_token(owner: str, environment: str, purpose: str, uses: int, days: int, as_json: bool) -> None:
    """Let a program register clients by RFC 7591; the token is printed this once."""
    made = registration.create_initial_token(owner, environment, purpose, uses=uses, days=days)
    show({"initial_access_token": made.token, "expires_at": made.kept.expires_at.isoformat()}, as_json)
