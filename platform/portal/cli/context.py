"""The context of every command: the application, the operator who types, and errors that a person can read."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask import Flask
from rich.console import Console
from rich.table import Table

from kernel.base.errors import Problem, Unconfirmed
from kernel.base.settings import Settings, SettingsError
from kernel.database.outage import CommitUnconfirmed, is_away
from kernel.jobs.access import Principal, act_as
from portal import wiring
from portal.app import create_app
from portal.local import development

P = ParamSpec("P")
R = TypeVar("R")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


def load_settings() -> Settings:
    """The settings of this environment, or those that `cordillera run` left for commands typed beside it."""
    development.adopt()
    try:
        return wiring.load_settings()
    except SettingsError as error:
        stop(str(error), code=2)


def application() -> Flask:
    """The application that the command works in."""
    return create_app(load_settings())


def quiet_application() -> Flask:
    """Create the application for a command that prints: its answer must not be lost among lines of log."""
    settings = load_settings()
    return create_app(replace(settings, log_level="WARNING") if settings.log_level == "INFO" else settings)


def with_app(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command inside the application; a problem becomes a sentence and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        operator = getpass.getuser()
        with quiet_application().app_context():
            act_as(Principal(kind="operator", id=operator, name=operator))
            try:
                return command(*args, **kwargs)
            except Problem as problem:
                stop(_in_words(problem))
            except CommitUnconfirmed:
                stop(_in_words(Unconfirmed(Unconfirmed.remedy)))
            except Exception as error:
                if not is_away(error):
                    raise
                stop("The database does not answer. Start it with `make run`, or set CORDILLERA_DATABASE_URL.")

    return run


def _in_words(problem: Problem) -> str:
    lines = [f"{problem.title}. {problem.detail}".rstrip(" .") + "."]
    lines += [f"  {name}: {' '.join(str(one) for one in messages)}" for name, messages in problem.fields.items()]
    return "\n".join(lines)


def stop(sentence: str, code: int = 1) -> NoReturn:
    """Say on stderr what is wrong and end."""
    click.echo(sentence, err=True)
    sys.exit(code)


def show(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print what a command made or found."""
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, default=str))
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    Console().print(table, soft_wrap=True)
