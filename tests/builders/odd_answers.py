"""An application for trying the server itself: the path says how it answers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PIECE = b"x" * 65_536
TEXT = ("Content-Type", "text/plain")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """`/cut` breaks off, `/broken` fails before its first byte, `/slow` takes a while, `/large` is of 64 MB."""
    path = environ["PATH_INFO"]
    if path == "/cut":
        start_response("200 OK", [TEXT, ("Content-Length", "100")])
        yield b"half"
        raise RuntimeError("the provider has gone")
    if path == "/broken":
        raise RuntimeError("nothing was ready")
    if path == "/large":
        start_response("200 OK", [TEXT])
        for _ in range(1_000):
            yield PIECE
        return
    if path == "/slow":
        time.sleep(2)
    body = str(os.getpid()).encode() if path == "/pid" else _read(environ, path)
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    yield body


def _read(environ: WSGIEnvironment, path: str) -> bytes:
    """Count the bytes that came; `/unread` leaves them."""
    return b"0" if path == "/unread" else str(len(environ["wsgi.input"].read())).encode()
