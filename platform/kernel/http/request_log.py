"""The log of requests: an identifier for the caller, a line in the log, a count and its time in the metrics."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from kernel.base.logs import tell_request
from kernel.base.request_id import HEADER, current_request_id, take_request_id
from kernel.recording.metrics import count_request


def observe(endpoint: str | None, method: str, path: str, status: int, started: float) -> None:
    """Tell of a request that began at `started` (`time.perf_counter`) and is answered now."""
    seconds = time.perf_counter() - started
    tell_request(method, path, status, seconds)
    count_request(endpoint or "none", method, status, seconds)


def install_request_log(app: Flask) -> None:
    """Call first: what comes before it in a request is not seen, nor what comes after it in an answer."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        take_request_id(request.headers.get(HEADER, ""))

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = current_request_id()
        # Who fails before anything has begun, as with a host that is none, has taken no time.
        started = g.get("started") or time.perf_counter()
        observe(request.endpoint, request.method, request.path, response.status_code, started)
        return response
