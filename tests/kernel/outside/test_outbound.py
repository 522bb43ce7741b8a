"""Calls to addresses that others chose: what an attacker would try."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore2
import pytest
from builders.raw_provider import Steps, a_raw_provider
from flask import Flask

from kernel.base.errors import BadGateway, GatewayTimeout
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.outside import outbound
from kernel.outside.outbound import AddressRefused
from kernel.recording.work import Work, action


class Provider(BaseHTTPRequestHandler):
    """/big is a megabyte, /slow takes two seconds, /redirect leads to a cloud's secrets; the rest echoes headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            threading.Event().wait(2)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"x" * 1_000_000 if self.path == "/big" else str(self.headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def listening() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def an_installation(*allowed: str) -> Flask:
    app = Flask("outbound")
    SETTINGS.fill(app, replace(Settings(), outbound_allowed=frozenset(allowed)))
    return app


@pytest.fixture
def port() -> Iterator[int]:
    with listening() as port:
        yield port


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
    ],
)
def test_no_spelling_of_a_private_address_is_called(host: str, port: int) -> None:
    with an_installation().app_context():
        for call in (outbound.check_url, lambda url: outbound.send("GET", url)):
            with pytest.raises(AddressRefused):
                call(f"https://{host}:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user:secret@example.com/",
        "https:///path",
        "https://example.com:99999/",
        "https://example.com:abc/",
        "https://[::1/",
        "not an address",
        "",
    ],
)
def test_what_is_not_a_plain_https_address_is_refused(url: str) -> None:
    with an_installation().app_context():
        with pytest.raises(AddressRefused):
            outbound.check_url(url)
        with pytest.raises(AddressRefused):
            outbound.send("GET", url)


@pytest.mark.parametrize("call", [outbound.check_url, lambda url: outbound.send("GET", url)])
def test_in_an_action_nobody_is_called_nor_looked_up(
    context: None, call: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(outbound, "_resolve", lambda host, _port: looked_up.append(host))

    @action
    def waiting(_work: Work) -> None:
        call("https://example.com/")

    with pytest.raises(RuntimeError, match="waits for nobody"):
        waiting()
    assert looked_up == []


def _resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make every name resolve to the answers in turn; the list returned collects the addresses connected to."""
    waiting, connected = list(answers), list[str]()

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    def connect(self: Any, host: str, *_: Any, **__: Any) -> Any:
        connected.append(host)
        raise httpcore2.ConnectError("this is a test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    return connected


@pytest.mark.parametrize("answers", [["10.0.0.5"], ["8.8.8.8", "127.0.0.1"], []])
def test_a_name_that_leads_to_a_private_address_is_refused(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    connected = _resolving_to(monkeypatch, answers)
    with an_installation().app_context():
        with pytest.raises(AddressRefused):
            outbound.check_url("https://innocent.example/")
        with pytest.raises(AddressRefused):
            outbound.send("GET", "https://innocent.example/")
    assert connected == []


def test_the_address_connected_to_is_the_one_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is public, the next one would be private."""
    connected = _resolving_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with an_installation().app_context(), pytest.raises(BadGateway):
        outbound.send("GET", "https://innocent.example/")
    assert connected == ["8.8.8.8"]


def test_a_name_that_does_not_resolve_may_be_stored_but_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with an_installation().app_context():
        outbound.check_url("https://tomorrow.example/")
        with pytest.raises(BadGateway):
            outbound.send("GET", "https://tomorrow.example/")


def test_what_the_operator_allows_is_called_with_the_headers_given_and_no_others(port: int) -> None:
    with an_installation(f"localhost:{port}").app_context():
        answer = outbound.send("GET", f"http://localhost:{port}/", headers=[("X-One", "1"), ("X-One", "2")])
        sent = outbound.read(answer, 10_000).decode().lower()
    assert sent.split() == f"host: localhost:{port} x-one: 1 x-one: 2".split()


def test_another_port_of_an_allowed_host_stays_closed(port: int) -> None:
    with an_installation("localhost:1").app_context(), pytest.raises(AddressRefused):
        outbound.send("GET", f"https://localhost:{port}/")


def test_a_redirect_is_answered_not_followed(port: int) -> None:
    with an_installation(f"localhost:{port}").app_context():
        answer = outbound.send("GET", f"http://localhost:{port}/redirect")
        answer.close()
    assert answer.status_code == 302


def test_an_answer_beyond_the_limit_is_broken_off(port: int) -> None:
    with an_installation(f"localhost:{port}").app_context():
        answer = outbound.send("GET", f"http://localhost:{port}/big")
        with pytest.raises(BadGateway):
            outbound.read(answer, 999_999)
        assert answer.is_closed
        assert len(outbound.read(outbound.send("GET", f"http://localhost:{port}/big"), 1_000_000)) == 1_000_000


def test_silence_ends_in_a_timeout(port: int) -> None:
    with an_installation(f"localhost:{port}").app_context(), pytest.raises(GatewayTimeout):
        outbound.send("GET", f"http://localhost:{port}/slow", timeout=0.2)


def test_headers_that_drip_end_in_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 1.0)
    with a_raw_provider(SLOW) as provider, an_installation(provider.address).app_context():
        with pytest.raises(GatewayTimeout):
            outbound.send("GET", f"http://{provider.address}/headers")
        # How long an answer's body may take is for its reader to say.
        answer = outbound.send("GET", f"http://{provider.address}/body")
        assert outbound.read(answer, 100, seconds=60) == b"ok"


DRIP: list[bytes | float | None] = [0.2, b"x"]
SLOW: Mapping[str, Steps] = {
    "headers": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Drip: ", *DRIP * 100, b"\r\n\r\nok"],
    "body": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 1.5, b"k"],
}


def test_a_closed_port_is_an_unreachable_provider() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with an_installation(f"localhost:{port}").app_context(), pytest.raises(BadGateway):
        outbound.send("GET", f"http://localhost:{port}/")
