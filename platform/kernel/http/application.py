"""The Flask application that every request passes: settings, limits, believed proxies, checks that operators and
balancers make.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote_from_bytes, urlsplit

from flask import Flask, Request, Response, jsonify, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter, UnicodeConverter
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream, get_input_stream

from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.database.db import session
from kernel.jobs.access import program_paths, public
from kernel.jobs.loops import loops_of_process

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_FORM_BYTES = 2 * 1024 * 1024
MAX_KEPT_FORM_BYTES = 64 * 1024 * 1024
"""Up to here a form with a file that is too large is read to its end, and beyond it is answered with 413."""
PIECE_BYTES = 64 * 1024
BYTES_IN_MEMORY = 500 * 1024
ASCII = bytes(range(128))


FORM_COOKIE: Slot[URLSafeTimedSerializer | None] = Slot("form_cookie")


class FormSessions(SecureCookieSessionInterface):
    """The signed cookie of forms. Who brings none, as programs do, is not made to pay for its keys."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Made once for an application: its keys change with the process."""
        if not FORM_COOKIE.is_filled(app):
            FORM_COOKIE.fill(app, super().get_signing_serializer(app))
        return FORM_COOKIE.of(app)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed or session.modified:
            super().save_session(app, session, response)


class BodyUpTo(LimitedStream):
    """A body of at most so many bytes. Werkzeug's own refuses the very limit, or takes a part for the whole."""

    def on_exhausted(self) -> None:
        """RFC 9110 15.5.14: too large is what goes on beyond the limit. Raises RequestEntityTooLarge."""
        if self._stream.read(1):
            raise RequestEntityTooLarge

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(PIECE_BYTES), b""))


class BeginningOf(SpooledTemporaryFile[bytes]):
    """A file of which only the first bytes are kept; the others are taken and thrown away."""

    def __init__(self, limit: int) -> None:
        super().__init__(max_size=BYTES_IN_MEMORY)
        self._limit = limit

    def write(self, data: Any) -> int:
        """As if all of it were written."""
        super().write(data[: max(self._limit - self.tell(), 0)])
        return len(data)


class AnyRequest(Request):
    """A request as anybody may write it: what is odd in it is refused or passed over, and never stops us."""

    largest_file: int | None = None

    def keep_form(self, largest_file: int, largest_form: int = MAX_KEPT_FORM_BYTES) -> None:
        """Read a form also if a file in it is far too large: of each file one byte more than is allowed is kept.

        So a page can tell it beside the field, with all that was typed still there. Call it before the form is read.
        """
        self.largest_file, self.max_content_length = largest_file, largest_form

    def _get_file_stream(self, *given: Any, **named: Any) -> IO[bytes]:
        if self.largest_file is None:
            return super()._get_file_stream(*given, **named)
        return BeginningOf(self.largest_file + 1)

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, of at most `max_content_length` bytes. Raises RequestEntityTooLarge, also while it is read."""
        limit, announced = self.max_content_length, self.content_length
        if limit is not None and announced is not None and announced > limit:
            raise RequestEntityTooLarge
        if limit is not None and "wsgi.input_terminated" in self.environ:
            return cast(IO[bytes], BodyUpTo(self.environ["wsgi.input"], limit, is_max=True))
        return get_input_stream(self.environ)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # RFC 3986 2: an address is ASCII. Octets that come as they are mean what they mean when they are escaped.
        if not self.query_string.isascii():
            self.query_string = quote_from_bytes(self.query_string, safe=ASCII).encode("ascii")

    def get_json(self, *given: Any, **named: Any) -> None:
        """Nothing: Flask-WTF would fill our forms from JSON of any shape. Interfaces read theirs in their own way."""


class ExactResponse(Response):
    """A response whose `Location` is sent octet by octet, if it is an address at all (RFC 3986 2).

    Werkzeug would write it in a form of its own: the host in lower case, `[` as `%5B`, an empty query left out. To the
    application that registered the address it would be another one (RFC 6749 3.1.2).
    """

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        headers, given = super().get_wsgi_headers(environ), self.headers.get("Location")
        if given is not None and re.fullmatch("[!-~]+", given):
            headers["Location"] = given
        return headers


class PathText(UnicodeConverter):
    """A part of a path. Nothing has a null byte in its name: PostgreSQL does not keep any."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.regex = self.regex.replace("[^/]", r"[^/\x00]")


class Application(Flask):
    """Flask, without what it does on each request for the sake of things that are not here."""

    request_class = AnyRequest
    response_class = ExactResponse
    session_interface = FormSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view and hook of the house is an ordinary function: none has to be looked at."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Create the adapter that finds views and builds full addresses as this installation is known, for any Host.

        RFC 9110 7.8: who offers to go on in another protocol, as a WebSocket, is answered in this one.
        """
        adapter = super().create_url_adapter(request)
        if adapter is not None:
            own = urlsplit(SETTINGS.of(self).base_url)
            adapter.url_scheme, adapter.server_name = own.scheme, own.netloc
            adapter.websocket = False
        return adapter


def wants_json() -> bool:
    """Whether the caller is a program rather than a person in a browser."""
    if program_paths(request.path) or request.path.startswith(("/metrics", "/health/")):
        return True
    accepted = request.accept_mimetypes
    best = accepted.best_match(["text/html", "application/problem+json", "application/json"], default="text/html")
    return best != "text/html"


def install_http(app: Flask, settings: Settings) -> None:
    """Limits on bodies and forms, and addresses without surprise."""
    SETTINGS.fill(app, settings)
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
    app.url_map.converters |= {"default": PathText, "string": PathText}


def believe_proxies(app: Flask, settings: Settings) -> None:
    """Let as many proxies as are trusted say who asks, and for what host."""
    if count := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]


def install_health(app: Flask) -> None:
    """`/health/live`: this process answers. `/health/ready`: and so does its database.

    Its loops are shown there and decide nothing: without each of them the process answers as it should.
    """

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
            answer = jsonify(status="unavailable", database="does not answer")
            answer.headers["Retry-After"] = "30"
            return answer, 503
        loops = {loop.name: "failing" if loop.supervision.is_failing else "ok" for loop in loops_of_process()}
        return jsonify(status="ok", database="ok", loops=loops), 200
