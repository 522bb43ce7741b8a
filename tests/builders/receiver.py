"""A server of somebody else's to which we send things: it writes down what comes, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask
from sqlalchemy import text

from kernel.database.db import new_session


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    waits_for: threading.Event | None = None
    """The event before which it is not given."""


@dataclass(frozen=True)
class Arrival:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Gives each of `answers` once, and then 200."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    requests: list[Arrival] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.address}{path}"

    def answer(self, arrival: Arrival) -> Answer:
        with self.lock:
            self.requests.append(arrival)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            answer = self.answers.pop(0) if self.answers else Answer()
        if answer.waits_for:
            answer.waits_for.wait(30)
        with self.lock:
            self.at_once -= 1
        return answer


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    """The server on a port of its own."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = found.answer(Arrival(self.path, dict(self.headers), body))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def bring_forward(app: Flask) -> None:
    """Have the jobs that wait for a later time begin now."""
    with app.app_context(), new_session() as session:
        session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
        session.commit()
