"""A shorter way for the few requests that come thousands of times a second and are all alike.

A shortcut answers the plainest form of a request. Whatever is unusual about it, and whatever goes wrong, it leaves to
Flask, which sees the request as if nobody had looked at it: so every rule and every error keeps its one place. What
must not be tried a second time is marked (`only_once`), and the view tells how it failed (`tell_failure`). Only for
views that have no limit by address and declare no access.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import structlog
from flask import Flask, request

from kernel.errors import Problem
from kernel.observation import observe
from kernel.requests import HEADER, current_request_id, take_request_id
from kernel.security import headers_of_no_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
LONGEST_BODY = 16_384
FAILURE = "cordillera.failure_of_shortcut"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PlainRequest:
    """A request without a query. form: its fields, each of which came once; empty for what has no body."""

    headers: Mapping[str, str]
    """As WSGI names them: `HTTP_ACCEPT`."""
    form: Mapping[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("HTTP_AUTHORIZATION", "")


Answer = Callable[[PlainRequest], Mapping[str, Any] | None]
"""What to answer as JSON, None for what is to go the whole way."""


@dataclass(frozen=True)
class Shortcut:
    """The way to one view."""

    endpoint: str
    answer: Answer
    headers: tuple[tuple[str, str], ...] = ()


def add_shortcut(app: Flask, method: str, path: str, shortcut: Shortcut) -> None:
    """Let requests with this method and exactly this path try the shortcut first."""
    app.extensions.setdefault("cordillera.shortcuts", {})[method, path] = shortcut


def install_shortcuts(app: Flask) -> None:
    """Put the shortcuts before everything else. Call last."""
    app.wsgi_app = _Shortcuts(app, app.wsgi_app)  # type: ignore[method-assign]


class _Shortcuts:
    def __init__(self, app: Flask, whole_way: WSGIApplication) -> None:
        self._app, self._whole_way = app, whole_way
        self._known: Mapping[tuple[str, str], Shortcut] = app.extensions.get("cordillera.shortcuts", {})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        shortcut = self._known.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        asked = _plain(environ) if shortcut is not None else None
        if shortcut is not None and asked is not None:
            started = time.perf_counter()
            with self._app.app_context():
                take_request_id(environ.get("HTTP_X_REQUEST_ID", ""))
                said = _try(shortcut, asked, environ)
                if said is not None:
                    observe(shortcut.endpoint, environ["REQUEST_METHOD"], environ["PATH_INFO"], 200, started)
                    return self._send(shortcut, said, start_response)
        return self._whole_way(environ, start_response)

    def _send(self, shortcut: Shortcut, said: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = self._app.json.dumps(said, separators=(",", ":")).encode() + b"\n"
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            (HEADER, current_request_id()),
            *shortcut.headers,
            *headers_of_no_page(),
        ]
        start_response("200 OK", headers)
        return [body]


def _plain(environ: WSGIEnvironment) -> PlainRequest | None:
    """The request, if it is a plain one. Its body can be read once more."""
    if environ.get("QUERY_STRING") or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    length = environ.get("CONTENT_LENGTH") or "0"
    if length == "0":
        return PlainRequest(environ, {})
    if environ.get("CONTENT_TYPE") != FORM or not length.isdecimal() or int(length) > LONGEST_BODY:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        return None
    form = dict(fields)
    return PlainRequest(environ, form) if len(form) == len(fields) else None


class NotToBeTriedAgain(Exception):
    """What failed may have been done all the same; its cause is what went wrong."""


@contextmanager
def only_once() -> Iterator[None]:
    """For the part of a shortcut that changes something: if it fails, the view tells so and does not do it again."""
    try:
        yield
    except Exception as error:
        raise NotToBeTriedAgain from error


def tell_failure() -> None:
    """At the beginning of a view whose shortcut uses `only_once`: raise what went wrong there."""
    failure: BaseException | None = request.environ.get(FAILURE)
    if failure is not None:
        raise failure


def _try(shortcut: Shortcut, asked: PlainRequest, environ: WSGIEnvironment) -> Mapping[str, Any] | None:
    try:
        return shortcut.answer(asked)
    except Problem:
        return None
    except NotToBeTriedAgain as failed:
        environ[FAILURE] = failed.__cause__
        return None
    except Exception as error:
        # The whole way says what is wrong, in the words of its endpoint; a defect of the shortcut must not hide.
        log.warning("a shortcut failed", endpoint=shortcut.endpoint, cause=type(error).__name__)
        return None
