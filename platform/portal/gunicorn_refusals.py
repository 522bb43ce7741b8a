"""gunicorn's own refusals, and answers that failed before their first byte, in the words of the application."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from gunicorn.http import errors as http_errors

from kernel.base.errors import BadRequest, Forbidden, Internal, Problem
from kernel.http.refusals import (
    REFUSED,
    FieldsTooLarge,
    TargetTooLong,
    UnknownExpectation,
    UnknownTransferCoding,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

PROBLEMS: tuple[tuple[type[Exception], type[Problem]], ...] = (
    (http_errors.InvalidResponseHeader, Internal),
    (http_errors.InvalidResponseHeaderName, Internal),
    (http_errors.ConfigurationProblem, Internal),
    (http_errors.LimitRequestLine, TargetTooLong),
    (http_errors.LimitRequestHeaders, FieldsTooLarge),
    (http_errors.UnsupportedTransferCoding, UnknownTransferCoding),
    (http_errors.ExpectationFailed, UnknownExpectation),
    (http_errors.ForbiddenProxyRequest, Forbidden),
    (http_errors.ParseException, BadRequest),
)
START = re.compile(rb"(?:\r\n)?([!-~]+) (?i:https?://[^/?# ]*)?(/[^?# \r\n]*)")
PREFERENCE = re.compile(rb"\r\n(accept|accept-language):[ \t]*([^\r\n]*)(?=\r\n)", re.IGNORECASE)


def problem_of(error: Exception) -> Problem:
    """The problem that the error stands for; Internal for what is no fault of the request's."""
    if isinstance(error, Problem):
        return error
    kind = next((problem for known, problem in PROBLEMS if isinstance(error, known)), Internal)
    return kind(log=f"{type(error).__name__}: {error}"[:200])


def told_by(application: WSGIApplication, problem: Problem, head: bytes) -> bytes:
    """The whole answer that says so, after which the connection is closed.

    head: as much of the request as came. Raises whatever the application raises.
    """
    environ = _environ(head)
    environ[REFUSED] = problem
    parts: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        parts[:] = [status, headers]

    pieces: Iterable[bytes] = application(environ, start_response)
    body = b"".join(pieces)
    if hasattr(pieces, "close"):
        pieces.close()
    status, headers = parts
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + (b"" if environ["REQUEST_METHOD"] == "HEAD" else body)


def _environ(head: bytes) -> WSGIEnvironment:
    """Read the parts of a request that decide how its refusal is told: method, path, and preferred type and language.
    No credentials.
    """
    start = START.match(head)
    method, path = start.groups() if start else (b"GET", b"/")
    method = method if re.fullmatch(rb"[A-Z]+", method) else b"GET"
    environ: WSGIEnvironment = {"REQUEST_METHOD": method.decode(), "PATH_INFO": path.decode("latin-1")}
    for name, value in PREFERENCE.findall(head):
        environ["HTTP_" + name.decode().upper().replace("-", "_")] = value.decode("latin-1")
    setup_testing_defaults(environ)
    return environ
