"""Response modes, by which an answer travels back to the application: one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit

from flask import Response as FlaskResponse
from flask import make_response, render_template
from werkzeug.wrappers import Response

from kernel.http.security import csp_nonce


def in_query(redirect_uri: str, answer: Mapping[str, str]) -> Response:
    """With 303, so that no form is sent along (RFC 9700 4.12)."""
    return _see_other(address_with(redirect_uri, answer))


def address_with(redirect_uri: str, answer: Mapping[str, str]) -> str:
    """Add the answer to the query of an address (RFC 6749 3.1.2). Its own query is retained octet by octet, because
    what is behind it may not read it as a form (`index.php?/login/callback`).
    """
    joint = "&" if "?" in redirect_uri else "?"
    if joint == "&" and redirect_uri.endswith(("?", "&")):
        joint = ""
    return f"{redirect_uri}{joint}{urlencode(answer)}"


def _see_other(address: str) -> Response:
    """Without the note about the address that `flask.redirect` writes: what is in it concerns the application alone."""
    return make_response("", 303, {"Location": address})


def in_fragment(redirect_uri: str, answer: Mapping[str, str]) -> Response:
    """OAuth 2.0 Multiple Response Types 2.1."""
    return _see_other(f"{redirect_uri}#{urlencode(answer)}")


def by_form(redirect_uri: str, answer: Mapping[str, str]) -> Response:
    """OAuth 2.0 Form Post Response Mode 2: a page whose form sends itself, and has a button where scripts are off.

    RFC 9700 4.16 and 4.2.4: it runs nothing but our one line, leads nowhere but to the client, and is not kept.
    """
    parts = urlsplit(redirect_uri)
    page: FlaskResponse = make_response(render_template("openid/form_post.html", action=redirect_uri, answer=answer))
    nonce = f"'nonce-{csp_nonce()}'"
    page.headers["Content-Security-Policy"] = (
        f"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'; script-src {nonce}; "
        f"form-action {parts.scheme}://{parts.netloc}"
    )
    page.headers["Cache-Control"] = "no-store"
    page.headers["Referrer-Policy"] = "no-referrer"
    return page


MODES: Mapping[str, Callable[[str, Mapping[str, str]], Response]] = {
    "query": in_query,
    "fragment": in_fragment,
    "form_post": by_form,
}
SIGNED = {"jwt": "query", "query.jwt": "query", "fragment.jwt": "fragment", "form_post.jwt": "form_post"}
"""JARM 2.3: the answer as one signed parameter, and how that one travels; for `code`, `jwt` means `query.jwt`."""
