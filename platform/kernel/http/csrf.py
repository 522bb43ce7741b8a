"""Protection of forms against requests that another site has somebody's browser send (CSRF; why it is made so:
`docs/adr/0008`).

Browsers say where a request comes from, and what comes from another site is refused. Where nothing is said, as by old
browsers, the request has to bring what stood in our form.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request

from kernel.base.errors import SentByAnotherSite, StaleForm
from kernel.base.installation import settings
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.http.duties import only_behind_flask
from kernel.jobs.access import program_paths

View = TypeVar("View", bound=Callable[..., Any])

FIELD = "csrf_token"
SAYS_WHERE_FROM = "HTTP_SEC_FETCH_SITE"
OURS = ("same-origin", "none")
"""The values of `Sec-Fetch-Site` for requests from our own pages, or of a person's own doing, such as a reload. Fetch
Metadata: no page can set it.
"""
HARMLESS = frozenset(["GET", "HEAD", "OPTIONS", "TRACE"])
"""RFC 9110 9.2.1: methods that change nothing."""


def open_to_other_sites(view: View) -> View:
    """Let other sites have a browser send something here: the view does nothing in the name of who is signed in."""
    view.is_open_to_other_sites = True  # type: ignore[attr-defined]
    return view


def form_token() -> str:
    """Create the token that our forms carry for this reader: only who knows the reader's cookie and our key can make
    it. Nothing, if the browser says where its requests come from.
    """
    if FIELD not in g:
        if SAYS_WHERE_FROM in request.environ:
            g.csrf_token = ""
        elif form_key := request.cookies.get(_cookie()):
            g.csrf_token = _token_of(form_key)
        else:
            renew_form_key()
    token: str = g.csrf_token
    return token


FORM_KEY: Slot[bytes] = Slot("form_key")


def renew_form_key() -> None:
    """Let the forms of before a sign-in, or a sign-out, be good no more: somebody else may know what they carry."""
    if SAYS_WHERE_FROM in request.environ:
        return
    g.form_key = secrets.token_urlsafe(16)
    g.csrf_token = _token_of(g.form_key)


def _token_of(form_key: str) -> str:
    return hmac.digest(FORM_KEY(), form_key.encode(), "sha256").hex()


def _cookie() -> str:
    # The prefix keeps neighbours below the same domain from setting it (RFC 6265bis 4.1.3.2).
    return "__Host-form" if current_app.config["SESSION_COOKIE_SECURE"] else "form"


def install_csrf_protection(app: Flask, settings: Settings) -> None:
    """Look at each request that may change something, but for those of views that are open to other sites."""
    FORM_KEY.fill(app, hmac.digest(settings.secret_key.encode(), b"forms", "sha256"))
    app.config["WTF_CSRF_ENABLED"] = False  # what forms carry is ours
    app.jinja_env.globals[FIELD] = form_token
    views = app.view_functions

    @app.before_request
    @only_behind_flask("endpoints of programs take no cookie, so nobody can forge a request to them")
    def refuse_forged() -> None:
        if request.method in HARMLESS or program_paths(request.path):
            return
        view = views.get(request.endpoint or "")
        if view is not None and not getattr(view, "is_open_to_other_sites", False):
            _check()

    @app.after_request
    @only_behind_flask("only pages have forms")
    def keep_form_key(response: Response) -> Response:
        if "form_key" in g:
            secure = app.config["SESSION_COOKIE_SECURE"]
            response.set_cookie(_cookie(), g.form_key, secure=secure, httponly=True, samesite="Lax")
        return response


def _check() -> None:
    """Raises SentByAnotherSite, StaleForm."""
    if (site := request.environ.get(SAYS_WHERE_FROM)) is not None:
        if site not in OURS:
            raise SentByAnotherSite(log=f"Sec-Fetch-Site: {site[:20]}")
        return
    # RFC 6454 7: `null` says nothing.
    origin = request.headers.get("Origin", "null")
    if origin != "null":
        # As we are known, or as the browser has called us: its cookies are those of the name that it says here.
        if origin != settings().base_url and f"{origin}/" != request.host_url:
            raise SentByAnotherSite(log=f"Origin: {origin[:200]}")
        return
    form_key = request.cookies.get(_cookie(), "")
    if not form_key or not hmac.compare_digest(_token_of(form_key).encode(), request.form.get(FIELD, "").encode()):
        raise StaleForm(log="no token of ours")
