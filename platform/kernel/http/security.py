"""Headers and content security policy: the same for every page."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from flask import Flask, g

from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.http.incoming import NOT_KEPT, Header

ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of an answer that is no page: should a browser show it, it may do nothing."""


def csp_nonce() -> str:
    """With which a script or style of this page says that it is ours."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def allow_form_action(address: str) -> None:
    """Let a form of this page lead, through redirects, to the origin of `address`, which the caller has checked.

    Chromium applies `form-action` to the redirects that follow a form's POST as well.
    """
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.netloc:
        g.setdefault("form_actions", []).append(f"{parts.scheme}://{parts.netloc}")


HEADERS: Slot[list[tuple[str, str]]] = Slot("headers")


def install_security(app: Flask, settings: Settings) -> None:
    """Deny by default: no inline script or style, no frame, no guessing of types, nothing cached that is personal."""
    always = list(ALWAYS)
    if settings.is_secure:
        always.append(("Strict-Transport-Security", "max-age=63072000; includeSubDomains"))
    HEADERS.fill(app, always)


def headers_of_safety(path: str, headers: Iterable[Header], names: Collection[str]) -> Iterator[Header]:
    """The headers that an answer still lacks. headers: those it has; names: theirs, in lower case."""
    for header in HEADERS():
        if header[0].lower() not in names:
            yield header
    if "content-security-policy" not in names:
        is_page = any(name == "Content-Type" and value.startswith("text/html") for name, value in headers)
        yield "Content-Security-Policy", _policy() if is_page else NO_PAGE
    if "cache-control" not in names and "/static/" not in path:
        yield NOT_KEPT


def _policy() -> str:
    nonce = f"'nonce-{csp_nonce()}'"
    actions = " ".join(["'self'", *g.get("form_actions", [])])
    return (
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; connect-src 'self'; "
        f"img-src 'self' data:; font-src 'self'; style-src 'self' {nonce}; script-src 'self' {nonce}; "
        f"form-action {actions}"
    )
