"""The provider's endpoints, one file each, on one blueprint.

Every path answers with and without a trailing slash, and never by a redirect from one to the other: a POST would lose
its body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Blueprint, Flask

from identity.openid.server import install_server
from kernel.http.csrf import open_to_other_sites
from kernel.http.rate_limit import limiter

pages = Blueprint("openid", __name__, template_folder="../templates")
pages.record(lambda state: install_server(cast(Flask, state.app)))
View = TypeVar("View", bound=Callable[..., Any])


def at(path: str, *methods: str) -> Callable[[View], View]:
    """Serve a view of people's browsers at the path, with and without a trailing slash."""

    def register(view: View) -> View:
        pages.add_url_rule(path, view_func=view, methods=methods)
        pages.add_url_rule(f"{path}/", view_func=view, methods=methods, endpoint=f"{view.__name__}_slash")
        return view

    return register


def from_other_sites(path: str, *methods: str) -> Callable[[View], View]:
    """Serve a view to which applications send browsers, by a form too."""

    def register(view: View) -> View:
        return at(path, *methods)(open_to_other_sites(view))

    return register


def for_programs(path: str, *methods: str) -> Callable[[View], View]:
    """Serve a view that programs call: from wherever, and without a limit by address, behind which may be an agency."""

    def register(view: View) -> View:
        limiter.exempt(view)
        return from_other_sites(path, *methods)(view)

    return register
