"""Commands for applications and systems: what `cordillera client` does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from identity.agencies.queries import find_agency
from identity.clients.client_keys.rules import MAX_JWKS_BYTES
from identity.clients.dynamic_registration import actions as registration
from identity.clients.machine_clients import actions as systems
from identity.clients.profiles.rules import AUTH_METHODS, CERTIFICATE_SUBJECTS, OUR_ALGORITHMS, PROFILES, algorithm_of
from identity.clients.registry import actions, queries
from identity.clients.registry.rules import ENVIRONMENTS, scopes_of, usual_scopes
from kernel.base.errors import Invalid, _
from kernel.base.parties import OPERATOR, Party
from kernel.jobs.access import MACHINE_SCOPES
from portal.cli.context import as_json_option, show, with_app

if TYPE_CHECKING:
    from identity.clients.registry.models import Client


class PartyParam(click.ParamType[Party]):
    """A party in the command line, by its text."""

    name = "party"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Party:
        try:
            return Party.parse(value) if isinstance(value, str) else value
        except ValueError:
            self.fail("write agency:<code>, developer:<id> or operator", param, ctx)


@click.group()
def client() -> None:
    """Applications that people sign in to, and agencies' systems."""


def keys_of(ctx: click.Context, parameter: click.Parameter, file: BinaryIO | None) -> object:
    """The JSON in the file; a single key counts as a set of one."""
    if file is None:
        return None
    try:
        jwks = json.loads(file.read(MAX_JWKS_BYTES + 1))
    except (ValueError, RecursionError) as error:
        raise click.BadParameter("is not JSON") from error
    return {"keys": [jwks]} if isinstance(jwks, dict) and "kty" in jwks else jwks


jwks_option = click.option(
    "--jwks", type=click.File("rb"), callback=keys_of, help="Public keys of a client that signs (JSON Web Key Set)."
)
jwks_uri_option = click.option("--jwks-uri", help="Where the client publishes them instead.")
auth_method_option = click.option(
    "--auth-method", type=click.Choice(AUTH_METHODS[1:]), help="The first that the profile allows, if not given."
)


def id_token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for an application's choices about its ID tokens, put into `given["options"]`; None leaves a choice as it
    is.
    """

    @click.option(
        "--id-token-alg",
        "id_token_signed_response_alg",
        type=click.Choice(OUR_ALGORITHMS),
        help="What its ID tokens are signed with; as usual with the profile, if not given.",
    )
    @click.option(
        "--claims-in-id-token/--no-claims-in-id-token",
        default=None,
        help="Names and e-mail in the ID token too, not at userinfo only.",
    )
    @wraps(command)
    def run(id_token_signed_response_alg: str | None, claims_in_id_token: bool | None, **others: Any) -> Any:
        options = {
            "id_token_signed_response_alg": id_token_signed_response_alg,
            "claims_in_id_token": claims_in_id_token,
        }
        return command(id_token={name: value for name, value in options.items() if value is not None}, **others)

    return run


def credentials(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of client authentication; the command gets one argument, `given`, for all of it."""

    @auth_method_option
    @jwks_option
    @jwks_uri_option
    @click.option("--tls-subject-dn", help="The subject of its certificate (RFC 4514), with tls_client_auth.")
    @click.option("--tls-san-dns", help="Or an alternative name of it: a host.")
    @click.option("--tls-san-uri", help="Or an address.")
    @click.option("--tls-san-ip", help="Or an IP address.")
    @click.option("--tls-san-email", help="Or an address of e-mail.")
    @wraps(command)
    def run(**given: Any) -> Any:
        names = [name for name in list(given) if name.startswith("tls_")]
        options = {f"tls_client_auth_{name[4:]}": value for name in names if (value := given.pop(name))}
        keys = {name: given.pop(name) for name in ("auth_method", "jwks", "jwks_uri")}
        return command(given={**keys, "options": options}, **given)

    return run


@client.command("create")
@click.option("--name", required=True, help="What people read when they are asked to share their data.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True, help="Where to return to; repeatable.")
@click.option("--post-logout-redirect-uri", "logout_uris", multiple=True, help="Where to go after leaving; repeatable.")
@click.option("--profile", required=True, type=click.Choice(list(PROFILES)))
@credentials
@id_token_options
@click.option("--scope", "scopes", multiple=True, help="Besides the usual ones, such as offline_access; repeatable.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="sandbox", show_default=True)
@click.option("--owner", type=PartyParam(), default=str(OPERATOR), help="agency:<code> or developer:<id>.")
@as_json_option
@with_app
def create(
    name: str,
    redirect_uris: tuple[str, ...],
    logout_uris: tuple[str, ...],
    profile: str,
    given: dict[str, Any],
    id_token: dict[str, Any],
    scopes: tuple[str, ...],
    environment: str,
    owner: Party,
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
        **{**given, "options": given["options"] | id_token},
    )
    show(_told(made), as_json)


@client.command("change")
@click.argument("client_id")
@click.option("--profile", type=click.Choice(list(PROFILES)))
@credentials
@id_token_options
@as_json_option
@with_app
def change(client_id: str, profile: str | None, given: dict[str, Any], id_token: dict[str, Any], as_json: bool) -> None:
    """Give a client another profile, way to authenticate, keys or ID tokens; its secret stays where it needs one."""
    client = queries.any_client(client_id)
    options = {name: value for name, value in client.options.items() if name not in CERTIFICATE_SUBJECTS}
    new = {
        "auth_method": given["auth_method"] or client.auth_method,
        "jwks": given["jwks"],
        "jwks_uri": given["jwks_uri"],
        "options": {
            **(options if given["options"] or given["auth_method"] else client.options),
            **given["options"],
            **id_token,
        },
    }
    if given["jwks"] is None and given["jwks_uri"] is None:
        new |= {"jwks": client.jwks, "jwks_uri": client.jwks_uri}
    if client.profile == "machine":
        made = systems.change_machine_client(client_id, client.name, **new)
    else:
        registration = replace(queries.registration_of(client), profile=profile or client.profile, **new)
        registration = replace(
            registration, scopes=[scope for scope in registration.scopes if scope in scopes_of(registration.profile)]
        )
        made = actions.change_registration(queries.propose(client, **vars(registration)))
    show(_told(made), as_json)


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
        **_id_token_of(made.client),
    }


def _id_token_of(client: Client) -> dict[str, object]:
    """Describe an application's ID tokens; a system has none."""
    return {"id_token_alg": algorithm_of(client.profile, client.options)} if client.profile in PROFILES else {}


@client.command("create-system")
@click.option("--name", required=True, help="What its agency calls the system.")
@click.option("--agency", required=True, help="Code of the agency it belongs to, such as AE001.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; repeatable, or with spaces.")
@credentials
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="production", show_default=True)
@as_json_option
@with_app
def create_system(
    name: str, agency: str, scopes: tuple[str, ...], given: dict[str, Any], environment: str, as_json: bool
) -> None:
    """Register an agency's system, which calls our interfaces with its own tokens; a secret is printed this once."""
    if find_agency(agency) is None:
        raise Invalid(fields={"agency": [_("There is no agency with this code.")]})
    requested_scopes = {scope for given in scopes for scope in given.split()}
    offered = MACHINE_SCOPES()
    if unknown := sorted(requested_scopes - set(offered)):
        raise Invalid(
            fields={
                "scopes": [
                    _(
                        "Not offered: %(unknown)s. Choose from %(offered)s.",
                        unknown=", ".join(unknown),
                        offered=", ".join(offered),
                    )
                ]
            }
        )
    made = systems.create_machine_client(name, agency, requested_scopes, environment=environment, **given)
    show(
        {
            "client_id": made.client.client_id,
            "client_secret": made.secret,
            "name": made.client.name,
            "agency": agency,
            "environment": made.client.environment,
            "auth_method": made.client.auth_method,
            "scope": " ".join(made.client.scopes),
        },
        as_json,
    )


@client.command("list")
@as_json_option
@with_app
def list_clients(as_json: bool) -> None:
    """The newest clients."""
    clients = {
        each.client_id: {
            "name": each.name,
            "profile": each.profile,
            "environment": each.environment,
            "owner": str(each.owner),
            "revoked_at": each.revoked_at,
        }
        for each in queries.all_clients()
    }
    show(clients, as_json)


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
@click.option(
    "--owner",
    type=PartyParam(),
    default=str(OPERATOR),
    show_default=True,
    help="agency:<code>, whose the clients will be.",
)
@click.option("--environment", type=click.Choice(ENVIRONMENTS), default="production", show_default=True)
@click.option("--purpose", required=True, help="What it is for, in a sentence.")
@click.option("--uses", default=1, show_default=True, help="How many clients it registers.")
@click.option("--days", default=30, show_default=True, help="How long it lives.")
@as_json_option
@with_app
def create_initial_token(owner: Party, environment: str, purpose: str, uses: int, days: int, as_json: bool) -> None:
    """Let a program register clients by RFC 7591; the token is printed this once."""
    made = registration.create_initial_token(owner, environment, purpose, uses=uses, days=days)
    show({"initial_access_token": made.token, "expires_at": made.initial_token.expires_at.isoformat()}, as_json)
