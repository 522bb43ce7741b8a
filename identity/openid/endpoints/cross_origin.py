"""Applications that run in a browser and have no secret call us from their own pages (CORS, Fetch 3.2).

A browser lets a page read our answers only where we name the page's origin: here that of an address to which a living
client without a secret returns. Nothing is ever answered to cookies, so no credentials are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from identity.clients.redirect_uris.rules import origins_of
from identity.clients.registry.queries import browser_origins, known_client
from identity.clients.registry.rules import RegisteredClient
from kernel.http.doors import Endpoint
from kernel.http.incoming import Answer, Incoming

ALLOWED_HEADERS = "Authorization, Content-Type, DPoP"
EXPOSED_HEADERS = "WWW-Authenticate, DPoP-Nonce"
KEPT_SECONDS = 600
"""The time for which a browser may keep what a preflight said."""
ANY = "*"


def open_to_browser_applications(*methods: str) -> Callable[[Endpoint], Endpoint]:
    """Let pages of browser applications call an endpoint; it is registered for OPTIONS too (Fetch 3.2.2)."""
    return _opened(methods, _is_allowed_at_all, _is_allowed)


def open_to_every_page(*methods: str) -> Callable[[Endpoint], Endpoint]:
    """Let every page read what is for everyone."""
    return _opened(methods, lambda _: True, lambda *_: True, ANY)


def _opened(
    methods: tuple[str, ...],
    may_ask: Callable[[str], bool],
    may_read: Callable[[Incoming, str, int], bool],
    named: str | None = None,
) -> Callable[[Endpoint], Endpoint]:
    def decorate(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        def run(incoming: Incoming) -> Answer:
            origin = incoming.header("Origin")
            if incoming.method == "OPTIONS" and not incoming.has_header("Origin"):
                # RFC 9110 9.3.7
                also = ("HEAD",) if "GET" in methods else ()
                return Answer(200, (("Allow", ", ".join((*methods, *also, "OPTIONS"))),))
            if incoming.method == "OPTIONS":
                return _varying(incoming, _preflight(methods, (named or origin) if may_ask(origin) else None), named)
            answer = endpoint(incoming)
            if named or (origin and may_read(incoming, origin, answer.status)):
                answer = answer.with_headers(
                    ("Access-Control-Allow-Origin", named or origin),
                    ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
                )
            return _varying(incoming, answer, named)

        return run

    return decorate


def _preflight(methods: tuple[str, ...], allowed: str | None) -> Answer:
    """Fetch 4.8: what a page may send. It says no client_id, so the origin of any client is enough to ask."""
    if allowed is None:
        return Answer(204)
    return Answer(
        204,
        (
            ("Access-Control-Allow-Origin", allowed),
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
            ("Access-Control-Max-Age", str(KEPT_SECONDS)),
        ),
    )


def _varying(incoming: Incoming, answer: Answer, named: str | None) -> Answer:
    """Fetch 3.2.5: a cache must not show one origin what another one was answered."""
    if named is None and incoming.has_header("Origin"):
        return answer.with_headers(("Vary", "Origin"))
    return answer


def _is_allowed_at_all(origin: str) -> bool:
    return origin in browser_origins()


def _is_allowed(incoming: Incoming, origin: str, status: int) -> bool:
    """Whether a page of the origin may read this answer: of its own client, or that nobody's client was at fault."""
    client: RegisteredClient | None = incoming.caller or known_client(incoming.form.get("client_id", ""))
    if client is not None:
        return client.auth_method == "none" and origin in origins_of(client.redirect_uris)
    return status >= 400 and _is_allowed_at_all(origin)
