"""A little provider behind the gateway, and a consumer's system with credentials for it."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler
from typing import Any

from builders.catalogue import (
    CONSUMER,
    OWNER,
    Caller,
    a_caller,
    a_machine,
    a_published_service,
    an_agreement,
    an_official,
    with_fakes,
)
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from catalogue.agreements import actions as agreement_actions
from catalogue.agreements.rules import Transition
from catalogue.gateway.models import GatewayCall
from catalogue.services.queries import own
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as


class Provider(BaseHTTPRequestHandler):
    """Answers in JSON with what arrived; the path chooses something else."""

    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Any:
        """`do_GET` and its like are all the same."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": len(body),
        }
        self.server.seen.append(seen)  # type: ignore[attr-defined]
        if "/cut" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status = int(self.path.rsplit("/", 1)[1]) if "/status/" in self.path else 200
        self._send(status, b"" if status in (204, 304) else json.dumps(seen).encode())

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.permisos+json")
        self.send_header("X-Provider", "yes")
        self.send_header("Set-Cookie", "session=stolen; Path=/")
        self.send_header("Cordillera-Error", "gateway")
        self.send_header("Connection", "X-Hop")
        self.send_header("X-Hop", "1")
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


class Consumer:
    """A consumer's system with credentials of an active agreement."""

    def __init__(self, app: Flask, address: str) -> None:
        self.app = app
        with_fakes(app)
        self.caller: Caller = a_caller(app)
        with app.app_context():
            self.service = a_published_service(base_url=f"http://{address}/base").code
            self.agreement = an_agreement(own(self.service, an_official(OWNER))).code
            act_as(an_official(CONSUMER))
            _, credentials = agreement_actions.issue_credentials(an_official(CONSUMER), self.agreement)
        self.client_id = credentials.client_id
        self.machine = self.a_machine()

    def a_machine(self, **binding: str) -> Principal:
        bound = {"agreement": self.agreement, "service": self.service, "version": "v1", **binding}
        return a_machine(CONSUMER, "gateway", service_binding=bound, client_id=self.client_id)

    def call(
        self, path: str = "/permisos", method: str = "GET", by: Principal | None = None, **more: Any
    ) -> TestResponse:
        client = self.caller.acting(by or self.machine)
        return client.open(f"/gateway/{self.service}/v1{path}", method=method, buffered=True, **more)

    def take(self, step: Transition, agency: Any = OWNER) -> None:
        with self.app.app_context():
            official = an_official(agency)
            act_as(official)
            agreement_actions.transition(official, self.agreement, step, "Por la prueba")

    def calls(self) -> list[GatewayCall]:
        with self.app.app_context():
            return list(session().scalars(select(GatewayCall).order_by(GatewayCall.id)))


def headers_of(response: TestResponse) -> dict[str, str]:
    return dict(response.get_json()["headers"])
