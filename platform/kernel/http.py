"""What every request shares: the settings, the limits, the proxies to be believed, the checks that operators and
balancers ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response, current_app, jsonify, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.proxy_fix import ProxyFix

from kernel.access import public
from kernel.db import session
from kernel.settings import Settings

MAX_FORM_BYTES = 2 * 1024 * 1024


class FormSessions(SecureCookieSessionInterface):
    """The signed cookie of forms. Who brings none, as programs do, is not made to pay for its keys."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed or session.modified:
            super().save_session(app, session, response)


class Application(Flask):
    """Flask, without what it does on each request for the sake of things that are not here."""

    session_interface = FormSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view and hook of the house is an ordinary function: none has to be looked at."""
        return func


def settings() -> Settings:
    """This application's settings."""
    found: Settings = current_app.extensions["cordillera.settings"]
    return found


def wants_json() -> bool:
    """Whether the caller is a program rather than a person in a browser."""
    if request.path.startswith(("/api/", "/gateway/", "/metrics", "/health/")):
        return True
    accepted = request.accept_mimetypes
    best = accepted.best_match(["text/html", "application/problem+json", "application/json"], default="text/html")
    return best != "text/html"


def install_http(app: Flask, settings: Settings) -> None:
    """Limits on bodies and forms, addresses without surprise, and proxies believed only as configured."""
    app.extensions["cordillera.settings"] = settings
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=200,
        SESSION_COOKIE_NAME="cordillera_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_secure,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]


def install_health(app: Flask) -> None:
    """`/health/live`: this process answers. `/health/ready`: and so does its database."""

    @app.get("/health/live")
    @public("balancers ask it")
    def live() -> Any:
        return jsonify(status="ok")

    @app.get("/health/ready")
    @public("balancers ask it")
    def ready() -> tuple[Response, int]:
        try:
            session().execute(text("SELECT 1"))
        except SQLAlchemyError:
            return jsonify(status="unavailable", database="does not answer"), 503
        return jsonify(status="ok", database="ok"), 200
