"""Commands that enter persons and agencies."""

from __future__ import annotations

import click

from identity.agencies import actions as agencies
from identity.authentication.one_time_codes import actions as second_factor
from identity.officials.actions import appoint
from identity.people import actions as people
from portal.cli.context import as_json_option, show, with_app


@click.group()
def person() -> None:
    """People who can sign in."""


@person.command("create")
@click.option("--run", required=True, help="With check digit, in any spelling: 12.345.678-5.")
@click.option("--given-names", required=True, help="Separated by spaces.")
@click.option("--family-names", required=True, help="Separated by spaces.")
@click.option("--email")
@click.password_option()
@as_json_option
@with_app
def create_person(
    run: str, given_names: str, family_names: str, email: str | None, password: str, as_json: bool
) -> None:
    """Register a person."""
    found = people.register_person(
        run=run,
        given_names=given_names.split(),
        family_names=family_names.split(),
        email=email,
        password=password,
    )
    show({"id": str(found.id)}, as_json)


@person.command("remove-second-factor")
@click.argument("run")
@with_app
def remove_second_factor(run: str) -> None:
    """Let the person with RUN sign in with the password alone, having seen their identity card."""
    second_factor.remove_for(run)


@click.group()
def agency() -> None:
    """Agencies and their officials."""


@agency.command("create")
@click.argument("code")
@click.argument("name")
@click.option("--authority", is_flag=True, help="The agency that approves and arbitrates.")
@as_json_option
@with_app
def create_agency(code: str, name: str, authority: bool, as_json: bool) -> None:
    """Register an agency under its state code, such as AE001."""
    agencies.create_agency(code=code, name=name, is_authority=authority)
    show({"code": code, "name": name}, as_json)


@agency.command("add-official")
@click.argument("code")
@click.argument("run")
@click.argument("roles", nargs=-1, required=True)
@with_app
def add_official(code: str, run: str, roles: tuple[str, ...]) -> None:
    """Give the person with RUN the ROLES (administrator, publisher, correspondent) at agency CODE."""
    for role in roles:
        appoint(code, run, role)
