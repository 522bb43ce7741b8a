"""The two doors of an endpoint of programs: behind Flask, and directly at WSGI where it is hot.

An endpoint is a function of what came in (`incoming`), and both doors call the same one. The direct door leaves to
Flask what it cannot say: a request that a duty refuses, and what went wrong in the endpoint, which is told and not
tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app

from kernel.base.errors import Problem
from kernel.base.slots import Slot
from kernel.http.duties import begin, finish
from kernel.http.incoming import Answer, Incoming
from kernel.http.rate_limit import is_counted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Endpoint = Callable[[Incoming], Answer]
STATUS_LINES = {each.value: f"{each.value} {each.phrase.upper()}" for each in HTTPStatus}


@dataclass(frozen=True)
class Door:
    """The direct way to one endpoint."""

    name: str
    endpoint: Endpoint
    longest_body: int | None


DIRECT_DOORS: Slot[dict[tuple[str, str], Door]] = Slot("direct_doors", dict)


def serve(
    blueprint: Blueprint,
    path: str,
    endpoint: Endpoint,
    methods: Collection[str],
    *,
    name: str,
    longest_body: int | None = None,
    is_hot: bool = False,
) -> None:
    """Answer requests to the path with the endpoint, behind Flask and, if it is hot, directly too.

    name: what logs and metrics call it, behind the blueprint's. longest_body: in bytes; None for what is usual. The
    endpoint declares its access as every view does, and is called directly only if it is public.
    """
    blueprint.add_url_rule(path, name, _behind_flask(endpoint, longest_body), methods=methods)
    if is_hot:
        door = Door(f"{blueprint.name}.{name}", endpoint, longest_body)
        doors = {(method, path): door for method in methods}
        blueprint.record(lambda state: DIRECT_DOORS.of(state.app).update(doors))


@cache
def _behind_flask(endpoint: Endpoint, longest_body: int | None) -> Callable[..., Response]:
    """The one view of an endpoint, however many addresses it has."""

    @wraps(endpoint)
    def view(**path_values: str) -> Response:
        incoming = Incoming.of_flask()
        if incoming.failure is not None:
            raise incoming.failure
        incoming.longest_body, incoming.path_values = longest_body, path_values
        return as_response(endpoint(incoming))

    return view


def as_response(answer: Answer) -> Response:
    """An answer as Flask sends it."""
    response: Response = current_app.response_class(answer.body, answer.status, answer.headers)
    if not any(name == "Content-Type" for name, _ in answer.headers):
        # RFC 9110 8.3: of nothing no type is told.
        del response.headers["Content-Type"]
    return response


class DirectDoors:
    """WSGI middleware in front of Flask that knows a few pairs of method and path."""

    def __init__(self, app: Flask, behind: WSGIApplication) -> None:
        self._app, self._behind, self._doors = app, behind, DIRECT_DOORS.of(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        door = self.find(environ)
        body = self._answer(door, environ, start_response) if door is not None else None
        return body if body is not None else self._behind(environ, start_response)

    def find(self, environ: WSGIEnvironment) -> Door | None:
        """The door of this request, None for one that Flask answers."""
        return self._doors.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))

    def _answer(self, door: Door, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes] | None:
        with self._app.app_context():
            incoming = Incoming(environ, door.name, is_counted=is_counted(door.endpoint)).keep()
            incoming.longest_body = door.longest_body
            try:
                begin(incoming)
            except Problem:
                return None  # Flask runs the same list, and renders it
            try:
                answer = door.endpoint(incoming)
            except Exception as error:
                incoming.failure = error
                return None
            headers = finish(incoming, answer.status, list(answer.headers))
            start_response(STATUS_LINES[answer.status], [*headers, ("Content-Length", str(len(answer.body)))])
            return [answer.body]


def install_direct_doors(app: Flask) -> None:
    """Put them before everything of Flask's, and behind the proxies that say where a request comes from."""
    app.wsgi_app = DirectDoors(app, app.wsgi_app)  # type: ignore[method-assign]
