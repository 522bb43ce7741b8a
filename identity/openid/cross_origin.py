"""Applications that run in a browser and have no secret call us from their own pages (CORS, Fetch 3.2).

A browser lets a page read our answers only where we name the page's origin: here that of an address to which a living
client without a secret returns. Nothing is ever answered to cookies, so no credentials are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, current_app, g, make_response, request

from identity.clients.redirect_uris.rules import origins_of
from identity.clients.registry.queries import browser_origins, known_client
from identity.clients.registry.rules import RegisteredClient

ALLOWED_HEADERS = "Authorization, Content-Type, DPoP"
EXPOSED_HEADERS = "WWW-Authenticate, DPoP-Nonce"
KEPT_SECONDS = 600
"""How long a browser may keep what a preflight said."""
ANY = "*"

View = TypeVar("View", bound=Callable[..., Any])


def open_to_browser_applications(*methods: str) -> Callable[[View], View]:
    """Let pages of browser applications call an endpoint; it is registered for OPTIONS too (Fetch 3.2.2)."""
    return _opened(methods, _is_allowed_at_all, _is_allowed)


def open_to_every_page(*methods: str) -> Callable[[View], View]:
    """Let every page read what is for everyone."""
    return _opened(methods, lambda _: True, lambda *_: True, ANY)


def _opened(
    methods: tuple[str, ...],
    may_ask: Callable[[str], bool],
    may_read: Callable[[str, int], bool],
    named: str | None = None,
) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def run(*args: Any, **kwargs: Any) -> Any:
            origin = request.headers.get("Origin", "")
            if request.method == "OPTIONS" and "Origin" not in request.headers:
                return current_app.make_default_options_response()
            if request.method == "OPTIONS":
                return _varying(_preflight(methods, (named or origin) if may_ask(origin) else None), named)
            answer = make_response(view(*args, **kwargs))
            if named or (origin and may_read(origin, answer.status_code)):
                answer.headers["Access-Control-Allow-Origin"] = named or origin
                answer.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            return _varying(answer, named)

        return run  # type: ignore[return-value]  # what `wraps` gives has the view's own shape

    return decorate


def answering(client: RegisteredClient) -> None:
    """Note whose request this is: its pages may read the answer, and no other client's."""
    g.answered_client = client


def _preflight(methods: tuple[str, ...], allowed: str | None) -> Response:
    """Fetch 4.8: what a page may send. It says no client_id, so the origin of any client is enough to ask."""
    answer = make_response("", 204)
    del answer.headers["Content-Type"]  # there is no content, and no language that it would be in
    if allowed is not None:
        answer.headers["Access-Control-Allow-Origin"] = allowed
        answer.headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        answer.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        answer.headers["Access-Control-Max-Age"] = str(KEPT_SECONDS)
    return answer


def _varying(answer: Response, named: str | None) -> Response:
    """Fetch 3.2.5: a cache must not show one origin what another one was answered."""
    if named is None and "Origin" in request.headers:
        answer.vary.add("Origin")
    return answer


def _is_allowed_at_all(origin: str) -> bool:
    return origin in browser_origins()


def _is_allowed(origin: str, status: int) -> bool:
    """Whether a page of the origin may read this answer: of its own client, or that nobody's client was at fault."""
    client: RegisteredClient | None = g.get("answered_client") or known_client(request.form.get("client_id", ""))
    if client is not None:
        return client.auth_method == "none" and origin in origins_of(client.redirect_uris)
    return status >= 400 and _is_allowed_at_all(origin)
