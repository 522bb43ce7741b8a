"""The root of the commands. Those that need the application get its context; the others run without settings or
database.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask
from rich.console import Console

from kernel.access import Principal, act_as
from kernel.errors import Problem
from kernel.settings import SettingsError
from portal.app import create_app

errors = Console(stderr=True)


@click.group()
def main() -> None:
    """Cordillera, for its operators."""


def with_app(command: Callable[..., Any]) -> Callable[..., Any]:
    """Run a command inside the application, as the operator who is logged in to this machine."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        with application().app_context():
            act_as(Principal(kind="operator", id=getpass.getuser(), name=getpass.getuser()))
            try:
                return command(*args, **kwargs)
            except Problem as problem:
                tell(problem)
                sys.exit(1)

    return run


def application() -> Flask:
    """The application, or one sentence on what is wrong with its settings and exit code 2."""
    try:
        return create_app()
    except SettingsError as error:
        errors.print(f"[bold red]Settings:[/] {error}", highlight=False)
        sys.exit(2)


def tell(problem: Problem) -> None:
    """Print a problem as an operator may read it."""
    errors.print(f"[bold red]{problem.title}[/] {problem.detail}", highlight=False)
    for name, messages in problem.fields.items():
        errors.print(f"  {name}: {' '.join(str(one) for one in messages)}", highlight=False)
