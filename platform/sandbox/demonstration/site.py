"""The site of a fictitious municipality whose visitors sign in with Cordillera.

A program of its own, as an agency would run it: it shares nothing with the platform but the addresses. Run it as
`gunicorn sandbox.demonstration.site:app`, with CORDILLERA_BASE_URL and CORDILLERA_DATA_DIR as the platform has them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from sandbox.demonstration import login
from sandbox.demonstration.words import LANGUAGES, REASONS, WORDS

CONTENT_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

pages = Blueprint("demonstration", __name__)
Page = str | BaseResponse | tuple[str, int]


def language() -> str:
    """The reader's language: their choice, then the browser's, then Spanish."""
    if (chosen := request.args.get("lang")) in LANGUAGES:
        session["language"] = chosen
    return session.get("language") or request.accept_languages.best_match(list(LANGUAGES), default="es") or "es"


@pages.get("/")
def home() -> Page:
    signed_in = session.get("signed_in")
    if not signed_in:
        return render_template("demonstration/home.html")
    claims = signed_in["claims"]
    received = json.dumps(claims, indent=2, ensure_ascii=False)
    return render_template("demonstration/signed_in.html", received=received, name=_name(claims), run=_run(claims))


@pages.get("/sign-in")
def sign_in() -> Page:
    address, session["flow"] = login.begin(_here("callback"), language())
    return redirect(address)


@pages.get("/callback")
def callback() -> Page:
    flow = session.pop("flow", {})
    session["signed_in"] = login.finish(_here("callback"), flow, request.args)
    return redirect(url_for("demonstration.home"))


@pages.post("/sign-out")
def sign_out() -> Page:
    signed_in = session.pop("signed_in", None)
    if signed_in is None:
        return redirect(url_for("demonstration.home"), 303)
    return redirect(login.sign_out_address(signed_in["id_token"], _here("home")), 303)


def _here(endpoint: str) -> str:
    """The full address of a page of this site, exactly as it is registered."""
    own = os.environ.get("CORDILLERA_DEMONSTRATION_SITE_URL", request.url_root).rstrip("/")
    return own + url_for(f"demonstration.{endpoint}")


def _name(claims: Mapping[str, Any]) -> dict[str, str]:
    """First and full name, from OpenID's own claims or from ClaveÚnica's `name` object."""
    name = claims.get("name", "")
    if isinstance(name, dict):
        given, family = name.get("nombres", []), name.get("apellidos", [])
        return {"first": next(iter(given), ""), "full": " ".join([*given, *family])}
    given_name = claims.get("given_name") or name
    return {"first": next(iter(given_name.split()), ""), "full": name or given_name}


def _run(claims: Mapping[str, Any]) -> str:
    """The RUN as people write it, or nothing where it was not shared."""
    run = claims.get("RolUnico") or {}
    return f"{run['numero']:,}".replace(",", ".") + f"-{run['DV']}" if run else ""


def _show_failure(problem: login.LoginFailed) -> Page:
    return render_template("demonstration/problem.html", text=REASONS[language()][problem.reason]), 502


def _show_nothing(_: NotFound) -> Page:
    return render_template("demonstration/problem.html", text=WORDS[language()]["not_found"]), 404


def _harden(response: Response) -> Response:
    # The sign-out form leads to Cordillera and from there back, so `form-action` names no single place.
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _secret(folder: Path) -> bytes:
    """Return the key that signs this site's cookies: made once, shared by its processes."""
    path = folder / "demonstration.key"
    folder.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    made.touch(mode=0o600)
    made.write_bytes(secrets.token_bytes(32))
    try:
        # A link appears whole or not at all, and fails where another process was first.
        path.hardlink_to(made)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_bytes()


class SignedSessions(SecureCookieSessionInterface):
    """Cookies signed with a key that is read, or made, when the first visitor comes."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if not app.secret_key:
            app.secret_key = _secret(Path(os.environ.get("CORDILLERA_DATA_DIR", "var")))
        return super().get_signing_serializer(app)


def create_site() -> Flask:
    """The site as an application of its own."""
    site = Flask(__name__)
    site.session_interface = SignedSessions()
    # Browsers share cookies among the ports of a host: the platform has a `session` of its own.
    site.config.update(SESSION_COOKIE_NAME="demonstration", SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    site.register_blueprint(pages)
    site.register_error_handler(login.LoginFailed, _show_failure)
    site.register_error_handler(NotFound, _show_nothing)
    site.after_request(_harden)
    site.context_processor(lambda: {"words": WORDS[language()], "language": language(), "languages": LANGUAGES})
    return site


app = create_site()
