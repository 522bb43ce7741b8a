"""A shorter way for the few requests that come thousands of times a second and are all alike.

A shortcut answers the plainest form of a request. Whatever is unusual about it, and whatever goes wrong, it leaves to
Flask, which sees the request as if nobody had looked at it: so every rule and every error keeps its one place. What
must not be tried a second time is marked (`only_once`), and the view goes on from there (`done_by_shortcut`). Only for
views that have no limit of their own and are public.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import structlog
from flask import Flask, request

from kernel.base.errors import Problem
from kernel.base.request_id import HEADER, current_request_id, take_request_id
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.database.change_feed import hear_changes
from kernel.http.application import believe_proxies
from kernel.http.request_log import observe
from kernel.http.security import headers_of_no_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
LONGEST_BODY = 16_384
OUTCOME = "cordillera.outcome_of_shortcut"
NAMED = "HTTP_X_REQUEST_ID"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PlainRequest:
    """A request whose parameters and fields came once each. form: empty for what has no body."""

    headers: Mapping[str, str]
    """As WSGI names them: `HTTP_ACCEPT`."""
    form: Mapping[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("HTTP_AUTHORIZATION", "")


@dataclass(frozen=True)
class Done:
    """What a shortcut has done, of which the view is to tell."""

    outcome: Any


Answer: TypeAlias = Mapping[str, Any]
"""JSON."""


@dataclass(frozen=True)
class Shortcut:
    """The way to one view."""

    endpoint: str
    answer: Callable[[PlainRequest], Answer | Done | None]
    """None for what is to go the whole way."""
    headers: tuple[tuple[str, str], ...] = ()


Shortcuts = Mapping[tuple[str, str], Shortcut]


DIRECT_DOORS: Slot[dict[tuple[str, str], Shortcut]] = Slot("direct_doors", dict)


def add_shortcut(app: Flask, method: str, path: str, shortcut: Shortcut) -> None:
    """Let requests with this method and exactly this path try the shortcut first."""
    DIRECT_DOORS.of(app)[method, path] = shortcut


def install_shortcuts(app: Flask, settings: Settings) -> None:
    """Put the shortcuts before everything else. Call last."""
    believe_proxies(app, settings)
    app.wsgi_app = _Shortcuts(app, app.wsgi_app, DIRECT_DOORS.of(app))  # type: ignore[method-assign]


class _Shortcuts:
    def __init__(self, app: Flask, whole_way: WSGIApplication, known: Shortcuts) -> None:
        self._app, self._whole_way, self._known = app, whole_way, known

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        shortcut = self._known.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if shortcut is not None and (asked := _plain(environ)) is not None:
            answer = self._answer(shortcut, asked, environ, start_response)
            if answer is not None:
                return answer
        return self._whole_way(environ, start_response)

    def _answer(
        self, shortcut: Shortcut, asked: PlainRequest, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes] | None:
        started = time.perf_counter()
        with self._app.app_context():
            hear_changes()
            take_request_id(environ.get(NAMED, ""))
            said = _try(shortcut, asked, environ)
            if said is None:
                return None
            observe(shortcut.endpoint, environ["REQUEST_METHOD"], environ["PATH_INFO"], 200, started)
            return self._send(shortcut, said, start_response)

    def _send(self, shortcut: Shortcut, said: Answer, start_response: StartResponse) -> Iterable[bytes]:
        body = self._app.json.dumps(said, separators=(",", ":")).encode() + b"\n"
        headers = [(HEADER, current_request_id()), *shortcut.headers, ("Content-Type", "application/json")]
        start_response("200 OK", [*headers, *headers_of_no_page(), ("Content-Length", str(len(body)))])
        return [body]


def _plain(environ: WSGIEnvironment) -> PlainRequest | None:
    """The request, if it is a plain one. Its body can be read once more."""
    if "HTTP_TRANSFER_ENCODING" in environ or environ.get("QUERY_STRING"):
        return None
    length = environ.get("CONTENT_LENGTH") or "0"
    if length == "0":
        return PlainRequest(environ, {})
    if environ.get("CONTENT_TYPE") != FORM or not length.isdecimal() or int(length) > LONGEST_BODY:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    form = _pairs(body.decode("latin-1"))
    return PlainRequest(environ, form) if form is not None else None


def _pairs(written: str) -> Mapping[str, str] | None:
    """What a query or a form says; None for what is not ASCII as it has to be, or says something twice."""
    if not written.isascii():
        return None
    try:
        found = parse_qsl(written, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        return None
    pairs = dict(found)
    return pairs if len(pairs) == len(found) else None


class NotToBeTriedAgain(Exception):
    """What failed may have been done all the same; its cause is what went wrong."""


@contextmanager
def only_once() -> Iterator[None]:
    """For the part of a shortcut that changes something: if it fails, the view tells so and does not do it again."""
    try:
        yield
    except Exception as error:
        raise NotToBeTriedAgain from error


def done_by_shortcut() -> Any:
    """What the shortcut of this view has `Done`, of which the view is to tell; None where it has done nothing.

    For the beginning of a view whose shortcut changes something. Raises what went wrong there.
    """
    outcome = request.environ.get(OUTCOME)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _try(shortcut: Shortcut, asked: PlainRequest, environ: WSGIEnvironment) -> Answer | None:
    try:
        said = shortcut.answer(asked)
        if not isinstance(said, Done):
            return said
        environ[OUTCOME] = said.outcome
    except Problem:
        return None
    except NotToBeTriedAgain as failed:
        environ[OUTCOME] = failed.__cause__
    except Exception as error:
        # The whole way says what is wrong, in the words of its endpoint; a defect of the shortcut must not hide.
        log.warning("a shortcut failed", endpoint=shortcut.endpoint, cause=type(error).__name__)
        return None
    environ[NAMED] = current_request_id()  # what has been recorded is of the same request
    return None
