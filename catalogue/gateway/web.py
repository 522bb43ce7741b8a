"""The gateway: a consumer's system calls the provider's real address through it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog
from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from catalogue.gateway.actions import BegunCall, begin_call, finish_call, refuse_call
from catalogue.gateway.rules import (
    LONGEST_TARGET,
    MAX_ANSWER_BYTES,
    MAX_BODY_BYTES,
    METHODS,
    STREAM_SECONDS,
    STREAM_SILENT_SECONDS,
    Failure,
    NotForPages,
    NoUpgrade,
    WayBack,
    downstream_headers,
    is_stream,
    target,
    upstream_headers,
)
from kernel.base.errors import BadGateway, BadRequest, GatewayTimeout, Problem, TooLarge
from kernel.base.installation import settings
from kernel.base.request_id import current_request_id
from kernel.http.application import ExactResponse
from kernel.http.duties import only_behind_flask
from kernel.http.refusals import TargetTooLong
from kernel.jobs.access import current_principal, requires, scope
from kernel.outside import outbound
from kernel.outside.bulkheads import DestinationSaturated, Place, Saturated, outward_calls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

WHO_FAILED = "Cordillera-Error"
TRACE = "Cordillera-Trace"
PIECE = 64 * 1024

log = structlog.get_logger(__name__)
pages = Blueprint("gateway", __name__, url_prefix="/gateway")


class RestOfPath(BaseConverter):
    """The provider's part of an address, which may begin with slashes and be empty."""

    part_isolating = False
    regex = "(?s:.*)"
    weight = 200


@pages.record
def register_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["rest_of_path"] = RestOfPath


class PassedResponse(ExactResponse):
    """An answer of the provider's, whose addresses are written as they came: Werkzeug would encode them once more."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        headers = super().get_wsgi_headers(environ)
        for name in ("Location", "Content-Location"):
            if name in headers:
                headers[name] = self.headers[name]
        return headers


class ProxiedCall:
    """One call on its way: it is completed in the count once, whatever becomes of it."""

    def __init__(self, begun: BegunCall) -> None:
        self.call, self.at, self.trace = begun.row.id, begun.row.at, begun.row.trace
        self.daily = begun.daily
        self.started = time.monotonic()
        self.status, self.failed = 0, Failure.PROVIDER
        self.app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def finish(self) -> None:
        """Write how it ended; when that fails the row stays as one that was cut off."""
        milliseconds = round((time.monotonic() - self.started) * 1000)
        failed = self.failed if self.status >= 500 or self.status == 0 else None
        with self.app.app_context():
            # It says the same however often it is said, so a commit that was not confirmed is made once more.
            for _attempt in range(2):
                try:
                    return finish_call(self.call, self.at, self.status, failed, milliseconds)
                except SQLAlchemyError as error:
                    cause = type(error).__name__
            log.error("a call was not completed in the count", trace=self.trace, cause=cause)
            return None


@pages.before_request
def refuse_preflights() -> None:
    """A preflight carries no credentials, so it can be answered for no agreement (Fetch Living Standard 4.8)."""
    asks = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    if request.method == "OPTIONS" and asks and "Authorization" not in request.headers:
        raise NotForPages


@pages.route("/<service>/<version>", methods=METHODS, provide_automatic_options=False)
@pages.route(
    "/<service>/<version>/<rest_of_path:path>", methods=METHODS, provide_automatic_options=False, merge_slashes=False
)
@requires(scope("gateway"))
def call(service: str, version: str, path: str = "") -> Response:
    """Pass the call on to the provider and its answer back, unchanged but for what belongs to one connection."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise TooLarge(log=f"{request.content_length} bytes")
    # RFC 9110 7.8: an upgrade may be passed over, but who asks for a WebSocket can do nothing with another answer.
    if request.headers.get("Upgrade", "").lower() == "websocket":
        raise NoUpgrade
    prefix = f"/gateway/{service}/{version}"
    rest = target("", prefix, _raw_uri())
    place = _place(service, version)
    try:
        begun = begin_call(current_principal(), service, version, request.method)
    except BaseException:
        place.release()
        raise
    passage = ProxiedCall(begun)
    try:
        answer = outbound.send(
            request.method,
            begun.base_url + rest,
            headers=_headers(begun, prefix),
            content=_body(),
            place=place,
        )
        way_back = WayBack(begun.base_url, settings().base_url + prefix, rest.partition("?")[0])
        return _answer(passage, answer, way_back)
    except Exception as error:
        place.release()
        raise _failed(passage, error)  # noqa: B904  # often the very same error


def _headers(begun: BegunCall, prefix: str) -> list[tuple[str, str]]:
    return [
        *upstream_headers(request.headers.items(), begun.base_url, prefix),
        ("X-Cordillera-Consumer", begun.row.consumer),
        ("X-Cordillera-Agreement", begun.row.agreement),
        ("X-Request-Id", current_request_id()),
        (TRACE, begun.row.trace),
        *_length(),
    ]


def _place(service: str, version: str) -> Place:
    """A place to wait for the provider in; a call that gets none is written down as refused. Raises Saturated."""
    try:
        return outward_calls().take("gateway", service)
    except Saturated as full:
        failed = Failure.PROVIDER if isinstance(full, DestinationSaturated) else Failure.GATEWAY
        call = refuse_call(current_principal(), service, version, request.method, full.status, failed)
        full.headers.update({WHO_FAILED: str(failed), TRACE: call.trace})
        raise


@pages.after_app_request
@only_behind_flask("it concerns the gateway's own answers")
def say_who_failed(response: Response) -> Response:
    """Every refusal below `/gateway/` says whose it is; the provider's are marked before."""
    if response.status_code >= 400 and request.path.startswith("/gateway/"):
        response.headers.setdefault(WHO_FAILED, str(Failure.GATEWAY))
    return response


def _raw_uri() -> str:
    """The request's target as it came: decoded, `%2F` and `/` would be the same. Raises TargetTooLong."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    asked = str(
        raw or quote(request.path) + ("?" + request.query_string.decode("latin-1") if request.query_string else "")
    )
    if len(asked) > LONGEST_TARGET:
        raise TargetTooLong(log=f"{len(asked)} characters")
    return asked


def _length() -> list[tuple[str, str]]:
    return [("Content-Length", str(request.content_length))] if request.content_length else []


def _body() -> Iterator[bytes] | None:
    request.max_content_length = MAX_BODY_BYTES
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    return _pieces() if request.content_length or chunked else None


def _pieces() -> Iterator[bytes]:
    """The caller's body. Raises BadRequest when it ends before its announced length."""
    read = 0
    while piece := request.stream.read(PIECE):
        read += len(piece)
        yield piece
    if read < (request.content_length or 0):
        raise BadRequest(log=f"{read} of {request.content_length} bytes came")


def _failed(passage: ProxiedCall, error: Exception) -> Exception:
    """Count the call that got no answer, and say whose failure that was."""
    if isinstance(error, outbound.AddressRefused):
        error = BadGateway(log=error.log)
    if isinstance(error, RequestEntityTooLarge):
        error = TooLarge(log="the body went on beyond the limit")
    theirs = isinstance(error, BadGateway | GatewayTimeout)
    passage.failed = Failure.PROVIDER if theirs else Failure.GATEWAY
    passage.status = error.status if isinstance(error, Problem) else getattr(error, "code", None) or 500
    passage.finish()
    if isinstance(error, Problem):
        error.headers.update({WHO_FAILED: str(passage.failed), TRACE: passage.trace, **passage.daily.headers()})
    return error


def _answer(passage: ProxiedCall, answer: Any, way_back: WayBack) -> Response:
    """The provider's answer. Raises BadGateway, GatewayTimeout while nothing of it has gone out."""
    theirs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw]
    try:
        passed = downstream_headers(theirs, way_back)
    except BadGateway:
        answer.close()
        raise
    body = _first_piece_read(answer, is_stream(theirs))
    passage.status = answer.status_code
    response = PassedResponse(_passing(passage, body), answer.status_code, passed)
    if not any(name.lower() == "content-type" for name, _value in passed):
        del response.headers["Content-Type"]
    response.headers[TRACE] = passage.trace
    for name, value in passage.daily.headers().items():
        response.headers.add(name, value)
    if answer.status_code >= 400:
        response.headers[WHO_FAILED] = str(Failure.PROVIDER)
    # Also when nobody reads the answer: HEAD, or a consumer that has gone.
    response.call_on_close(answer.close)
    response.call_on_close(passage.finish)
    return response


def _first_piece_read(answer: Any, is_stream: bool) -> Iterator[bytes]:
    """The answer's body, of which the first piece is here: who breaks off before it has not answered.

    A stream's reader gets the headers before the first event.
    """
    if is_stream:
        outbound.allow_silence(answer, STREAM_SILENT_SECONDS)
        return chain([b""], outbound.chunks(answer, MAX_ANSWER_BYTES, STREAM_SECONDS))
    pieces = outbound.chunks(answer, MAX_ANSWER_BYTES)
    return chain([next(pieces, b"")], pieces)


def _passing(passage: ProxiedCall, body: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from body
    except Problem:
        # The status has gone out: all that is left is to break off, so that nobody takes the part for the whole.
        passage.status = 0
        raise
