"""Commands that enter persons and agencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import BinaryIO

import click

from identity.agencies import actions as agencies
from identity.agencies.queries import AgencyOnDay, tree_on
from identity.agencies.rules import KINDS, Branch, branches_of
from identity.agency_imports.actions import import_tree
from identity.agency_imports.queries import plan, tree_as_csv
from identity.agency_imports.rules import MAX_BYTES, read_rows
from identity.authentication.one_time_codes import actions as second_factor
from identity.officials.actions import appoint
from identity.people import actions as people
from kernel.base import clock
from portal.cli.context import as_json_option, show, with_app

DAY = click.DateTime(["%Y-%m-%d"])


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
    record = people.register_person(
        run=run,
        given_names=given_names.split(),
        family_names=family_names.split(),
        email=email,
        password=password,
    )
    show({"id": str(record.id)}, as_json)


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
@click.option("--kind", type=click.Choice(list(KINDS)), default="service")
@click.option("--parent", help="The code of the agency that it depends on.")
@as_json_option
@with_app
def create_agency(code: str, name: str, authority: bool, kind: str, parent: str | None, as_json: bool) -> None:
    """Register an agency under its state code, such as AE001."""
    agencies.create_agency(code=code, name=name, is_authority=authority, kind=kind, parent=parent)
    show({"code": code, "name": name}, as_json)


@agency.command("add-official")
@click.argument("code")
@click.argument("run")
@click.argument("functions", nargs=-1, required=True)
@click.option("--deputy", is_flag=True, help="As deputy, with the same rights.")
@click.option("--from", "starts_on", type=DAY, help="First day, today if not given.")
@click.option("--until", "ends_on", type=DAY, help="Last day.")
@click.option("--norm", default="", help="The norm or resolution that appoints.")
@with_app
def add_official(
    code: str,
    run: str,
    functions: tuple[str, ...],
    deputy: bool,
    starts_on: datetime | None,
    ends_on: datetime | None,
    norm: str,
) -> None:
    """Appoint the person with RUN to FUNCTIONS (administrator, publisher, correspondent, head, …) at agency CODE."""
    for function in functions:
        appoint(code, run, function, is_deputy=deputy, starts_on=_date(starts_on), ends_on=_date(ends_on), norm=norm)


@agency.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--apply", is_flag=True, help="Change it; without, only what would change is shown.")
@click.option("--counts-from", type=DAY, help="The day from which changes count, today if not given.")
@as_json_option
@with_app
def import_agencies(file: BinaryIO, apply: bool, counts_from: datetime | None, as_json: bool) -> None:
    """Register and change the agencies of a CSV FILE: all of it, or nothing."""
    rows, day = read_rows(file.read(MAX_BYTES + 1)), _date(counts_from) or clock.today()
    steps = import_tree(rows, day) if apply else plan(rows, day)
    changes = [{"line": one.row.line, "code": one.row.code, "is_new": one.is_new, **one.after} for one in steps]
    if as_json:
        show({"applied": apply, "changes": changes}, as_json)
        return
    for one in steps:
        fields = ", ".join(f"{field}={value}" for field, value in one.after.items())
        click.echo(f"line {one.row.line}: {one.row.code} {'new' if one.is_new else 'changes'}: {fields}")
    click.echo(f"{len(steps)} agencies {'were' if apply else 'would be'} registered or changed.")


@agency.command("export")
@click.option("--on", type=DAY, help="The tree of this day, today if not given.")
@with_app
def export_agencies(on: datetime | None) -> None:
    """Print the agencies as a CSV file that can be imported again."""
    click.echo(tree_as_csv(_date(on) or clock.today()), nl=False)


@agency.command("tree")
@click.option("--on", type=DAY, help="The tree of this day, today if not given.")
@with_app
def show_tree(on: datetime | None) -> None:
    """Print the agencies, each below the one it depends on."""

    def lines(branches: Sequence[Branch[AgencyOnDay]], depth: int) -> Iterator[str]:
        for one in branches:
            yield f"{'  ' * depth}{one.agency.code} {one.agency.name} ({one.agency.kind})"
            yield from lines(one.below, depth + 1)

    for line in lines(branches_of(tree_on(_date(on) or clock.today())), 0):
        click.echo(line)


def _date(given: datetime | None) -> date | None:
    return given.date() if given else None
