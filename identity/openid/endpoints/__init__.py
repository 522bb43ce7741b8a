"""The provider's endpoints, one file each, on one blueprint.

Every path answers with and without a trailing slash, and never by a redirect from one to the other: a POST would lose
its body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint

from kernel.http.csrf import open_to_other_sites
from kernel.http.doors import Endpoint, serve
from kernel.http.rate_limit import limiter

pages = Blueprint("openid", __name__, template_folder="../templates")
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


def for_programs(
    path: str,
    *methods: str,
    is_hot: bool = False,
    is_limited: bool = False,
    longest_body: int | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Serve an endpoint that programs call, from wherever (`kernel.http.doors`).

    is_limited: whether it counts against what an address may ask in a minute; behind one may be an agency.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        name = endpoint.__name__
        open_to_other_sites(endpoint if is_limited else limiter.exempt(endpoint))
        for where, called in ((path, name), (f"{path}/", f"{name}_slash")):
            serve(pages, where, endpoint, methods, name=called, longest_body=longest_body, is_hot=is_hot)
        return endpoint

    return register
