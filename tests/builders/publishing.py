"""A place that publishes keys, as clients do at their `jwks_uri`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from flask import Flask

from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings

Answer = Callable[[], tuple[int, bytes]]


def let_call(app: Flask, place: str) -> None:
    """Let the house call a private address, as an operator may."""
    settings: Settings = SETTINGS.of(app)
    object.__setattr__(settings, "outbound_allowed", frozenset({place}))


@contextmanager
def publishing(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A place that publishes keys, and the list of calls that it got."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            status, body = answer()
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()
