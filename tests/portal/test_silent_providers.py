"""A house of two processes while hundreds of calls hang on a provider that is silent; and what its server refuses."""

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from builders.catalogue import AUTHORITY, CONSUMER, OWNER, an_official, service_facts, version_facts
from builders.databases import a_database
from builders.odd_server import read_all
from builders.server import two_workers
from builders.settings import settings_of_tests
from walking import free_address

from catalogue.agreements import actions as agreements
from catalogue.agreements.rules import Purpose, Transition
from catalogue.services import actions as services
from identity.agencies.actions import create_agency
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from kernel.jobs.access import Principal, act_as
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres

CALLS = 500


@dataclass
class SilentProvider:
    """Takes every connection, and never says a word."""

    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=1_000))
    connections: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._take_all, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.getsockname()[1]}"

    def _take_all(self) -> None:
        with suppress(OSError):
            while True:
                self.connections.append(self.server.accept()[0])

    def wait_until_called(self) -> None:
        until = time.monotonic() + 60
        while not self.connections:
            assert time.monotonic() < until, "nobody calls"
            time.sleep(0.01)

    def calls(self) -> int:
        """The number that wait for a word now."""
        return sum(not _is_closed(connection) for connection in self.connections)

    def close(self) -> None:
        for each in (self.server, *self.connections):
            each.close()


def _is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(65_536, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        return False
    return True


@dataclass
class RunningInstallation:
    port: int
    service: str
    token: str
    provider: SilentProvider
    settings: Settings

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def status(self, path: str, **form: str) -> int:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=25)) as connection:
            body = urlencode(form) if form else None
            headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            connection.request("POST" if form else "GET", path, body, headers)
            return connection.getresponse().status

    def refused(self, request: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        """The server's answer to bytes of any kind: status, headers, problem."""
        with self.connect() as connection:
            connection.sendall(request)
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), headers, json.loads(body)


@pytest.fixture(scope="module")
def installation(
    postgres: EmbeddedPostgres, worker_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningInstallation]:
    """The real house, with a consumer's token for a service whose provider is silent."""
    directory, address, provider = tmp_path_factory.mktemp("silent"), free_address(), SilentProvider()
    with a_database(postgres, "silent") as url, closing(provider):
        allowed = frozenset({provider.address})
        settings = settings_of_tests(url, directory, base_url=address, outbound_allowed=allowed, web_threads=16)
        service, client_id, secret = _an_agreement(settings, f"http://{provider.address}/base")
        with two_workers(settings, address):
            token = _token(address, client_id, secret)
            yield RunningInstallation(int(address.rpartition(":")[2]), service, token, provider, settings)


def _an_agreement(settings: Settings, base_url: str) -> tuple[str, str, str]:
    app = create_app(settings)
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        for agency in (OWNER, CONSUMER, AUTHORITY):
            create_agency(agency.code, agency.name, is_authority=agency.is_authority)
        act_as(an_official(OWNER))
        service = services.draft_service(an_official(OWNER), service_facts(), version_facts(base_url=base_url))
        services.submit_version(an_official(OWNER), service.code, "v1")
        act_as(an_official(AUTHORITY))
        services.approve_version(an_official(AUTHORITY), service.code, "v1")
        act_as(an_official(CONSUMER))
        purpose = Purpose.checked(text="Probar", legal_basis="Ley 1", personal_data=False, daily_calls=100_000)
        agreement = agreements.request_agreement(an_official(CONSUMER), service.code, "v1", purpose)
        act_as(an_official(OWNER))
        agreements.transition(an_official(OWNER), agreement.code, Transition.APPROVE)
        act_as(an_official(CONSUMER))
        _, credentials = agreements.issue_credentials(an_official(CONSUMER), agreement.code)
    ENGINE.of(app).dispose()
    return service.code, credentials.client_id, credentials.secret


def _token(address: str, client_id: str, secret: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    with urllib.request.urlopen(f"{address}/openid/token", urlencode(form).encode(), timeout=30) as answer:
        return str(json.load(answer)["access_token"])


def test_hundreds_of_calls_that_hang_on_a_silent_provider_stop_nobody_else(installation: RunningInstallation) -> None:
    target = f"/gateway/{installation.service}/v1/silent"
    call = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {installation.token}\r\n\r\n"
    share = 2 * (installation.settings.outward_calls * installation.settings.destination_percent // 100)
    with ExitStack() as open_ones:
        waiting = [open_ones.enter_context(installation.connect()) for _ in range(CALLS)]
        for each in waiting:
            each.sendall(call.encode())
        installation.provider.wait_until_called()
        assert installation.status("/health/live") == 200
        assert installation.status("/health/ready") == 200
        assert installation.status("/sign-in") == 200
        assert installation.status("/openid/token", grant_type="client_credentials") == 401
        assert 1 <= installation.provider.calls() <= share, "more or fewer hang than may"
        refused = _answers(waiting, CALLS - share)
    # Where all this takes half a minute, those that hung are told of it by now, and others hang in their places.
    at_once = [answer for answer in refused if not answer.startswith(b"HTTP/1.1 504 ")]
    assert len(at_once) >= CALLS - 4 * share
    for answer in at_once:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Cordillera-Error: provider" in answer
        assert b"Retry-After: " in answer
        assert b"/problems/provider-saturated" in answer


def _answers(connections: list[socket.socket], least: int) -> list[bytes]:
    """The first so many answers, whoever gets them."""
    answers, until = list[bytes](), time.monotonic() + 60
    while len(answers) < least:
        for each in connections:
            with suppress(BlockingIOError):
                if len(answers) < least and (answer := each.recv(65_536, socket.MSG_DONTWAIT)):
                    answers.append(answer)
        assert time.monotonic() < until, f"{len(answers)} answers of {least}"
        time.sleep(0.05)
    return answers


GATEWAY = b"GET /gateway/SRV-000001/v1/x%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


@pytest.mark.parametrize(
    ("query", "fields", "status", "kind"),
    [
        (b"?q=" + b"x" * 8_200, b"", 414, "address-too-long"),
        (b"", b"X: " + b"x" * 9_000 + b"\r\n", 431, "headers-too-large"),
        (b"", b"X: 1\r\n" * 101, 431, "headers-too-large"),
        (b"", b"Expect: a-miracle\r\n", 417, "unknown-expectation"),
        (b"", b"Transfer-Encoding: foo, chunked\r\n", 501, "unknown-transfer-coding"),
        (b"", b"Transfer-Encoding: gzip, chunked\r\n", 501, "unknown-transfer-coding"),
        (b"", b"Transfer-Encoding: gzip\r\n", 400, "bad-request"),
        (b"", b"No colon\r\n", 400, "bad-request"),
        (b"", b"Content-Length: many\r\n", 400, "bad-request"),
        (b"", b"X_Under: 1\r\n", 400, "ambiguous-header"),
        (b"", b"X-Forwarded_For: 1\r\n", 400, "ambiguous-header"),
    ],
)
def test_what_the_server_itself_refuses_is_a_problem_of_the_gateways(
    installation: RunningInstallation, query: bytes, fields: bytes, status: int, kind: str
) -> None:
    found, headers, problem = installation.refused(GATEWAY % (query, fields + b"Accept-Language: es\r\n"))
    assert (found, problem["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"
    assert headers["cordillera-error"] == "gateway"
    assert headers["x-request-id"]
    assert headers["connection"] == "close"
    assert problem["type"].endswith(f"/problems/{kind}")
    assert problem["title"]


def test_a_header_with_an_underscore_is_named(installation: RunningInstallation) -> None:
    _status, _headers, problem = installation.refused(GATEWAY % (b"", b"X_Under: 1\r\nAccept-Language: es\r\n"))
    assert problem["detail"] == "El encabezado es X_UNDER."


def test_elsewhere_a_header_with_an_underscore_is_passed_over(installation: RunningInstallation) -> None:
    status, *_ = installation.refused(
        b"GET /api/v1/usage HTTP/1.1\r\nHost: localhost\r\nX_A: 1\r\nConnection: close\r\n\r\n"
    )
    assert status == 401


def test_who_writes_a_method_that_there_is_not_is_told_by_the_gateway(installation: RunningInstallation) -> None:
    status, headers, _problem = installation.refused(
        b"get /gateway/SRV-000001/v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    assert (status, headers["cordillera-error"]) == (400, "gateway")


@pytest.mark.parametrize("length", [8_001, 8_100])
def test_an_address_that_is_a_little_too_long_is_told_so(installation: RunningInstallation, length: int) -> None:
    query = b"?q=" + b"x" * (length - len("/gateway/SRV-000001/v1/x?q="))
    fields = f"Authorization: Bearer {installation.token}\r\nConnection: close\r\n".encode()
    status, _headers, problem = installation.refused(GATEWAY % (query, fields))
    assert (status, problem["type"].rpartition("/")[2]) == (414, "address-too-long")


BROKEN_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize("path", ["/gateway/%s/v1/silent", "/api/v1/services", "/openid/token"])
def test_a_body_whose_chunks_are_broken_is_refused(installation: RunningInstallation, path: str) -> None:
    target = path.replace("%s", installation.service)
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {installation.token}\r\nAccept: application/json\r\n"
    status, _headers, problem = installation.refused(head.encode() + BROKEN_CHUNKS)
    assert status in (400, 401, 403)
    assert status == 400 or "gateway" not in path
    assert problem.get("type", "").rpartition("/")[2] != "internal"


def test_a_body_that_nobody_read_and_that_is_broken_gets_no_second_answer(installation: RunningInstallation) -> None:
    request = GATEWAY.replace(b"GET", b"POST") % (b"", BROKEN_CHUNKS)
    with installation.connect() as connection:
        connection.sendall(request)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_who_waits_to_be_asked_for_a_body_is_told_first_that_it_would_be_refused(
    installation: RunningInstallation,
) -> None:
    fields = b"Content-Length: 2\r\nExpect: 100-continue\r\n"
    status, _headers, _problem = installation.refused(GATEWAY.replace(b"GET", b"POST") % (b"", fields))
    assert status == 401


def test_who_waits_to_be_asked_for_a_body_that_is_wanted_is_asked(installation: RunningInstallation) -> None:
    form = b"grant_type=client_credentials"
    head = b"POST /openid/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    head += b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(form)
    with installation.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(form)
        assert read_all(connection).startswith(b"HTTP/1.1 401 ")


def test_an_address_of_eight_thousand_characters_passes(installation: RunningInstallation) -> None:
    target = b"?q=" + b"x" * (8_000 - len("/gateway/SRV-000001/v1/x?q="))
    assert installation.refused(GATEWAY % (target, b"Connection: close\r\n"))[0] == 401


@pytest.mark.parametrize("path", ["/openid/token", "/api/v1/services", "/sign-in", "/nothing-here"])
def test_a_transfer_coding_that_is_not_understood_is_refused_everywhere(
    installation: RunningInstallation, path: str
) -> None:
    fields = "Host: localhost\r\nAccept: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    status, headers, problem = installation.refused(f"POST {path} HTTP/1.1\r\n{fields}3\r\nabc\r\n0\r\n\r\n".encode())
    assert status == 501
    assert problem["type"].endswith("/problems/unknown-transfer-coding")
    assert "cordillera-error" not in headers
