"""The gateway against a real little provider: what passes, what is counted, and what attackers try."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from builders.catalogue import (
    CONSUMER,
    OWNER,
    STRANGER,
    Caller,
    a_caller,
    a_machine,
    a_published_service,
    an_agreement,
    an_official,
    with_fakes,
)
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from catalogue.agreements import actions as agreement_actions
from catalogue.agreements.rules import Step
from catalogue.metering import queries
from catalogue.metering.models import GatewayCall
from catalogue.metering.rules import MAX_BODY_BYTES
from kernel.access import Principal, act_as
from kernel.db import session
from kernel.settings import Settings
from portal.app import create_app


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


@pytest.fixture
def provider() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(provider: ThreadingHTTPServer) -> str:
    return f"localhost:{provider.server_address[1]}"


@pytest.fixture
def app(settings: Settings, address: str) -> Iterator[Flask]:
    """The application, which may reach the provider on this machine."""
    application = create_app(replace(settings, outbound_allowed=frozenset({address})))
    application.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield application
    application.extensions["cordillera.engine"].dispose()


class Consumer:
    """A consumer's system with credentials of an active agreement."""

    def __init__(self, app: Flask, address: str) -> None:
        self.app = app
        with_fakes(app)
        self.caller: Caller = a_caller(app)
        with app.app_context():
            self.service = a_published_service(base_url=f"http://{address}/base").code
            with app.test_request_context():
                self.agreement = an_agreement(_service(self.service)).code
            act_as(an_official(CONSUMER))
            _, credentials = agreement_actions.issue_credentials(an_official(CONSUMER), self.agreement)
        self.client_id = credentials.client_id
        self.machine = self.a_machine()

    def a_machine(self, **binding: str) -> Principal:
        bound = {"agreement": self.agreement, "service": self.service, "version": "v1", **binding}
        return a_machine(CONSUMER, "gateway", binding=bound, client_id=self.client_id)

    def call(
        self, path: str = "/permisos", method: str = "GET", by: Principal | None = None, **more: Any
    ) -> TestResponse:
        client = self.caller.acting(by or self.machine)
        return client.open(f"/gateway/{self.service}/v1{path}", method=method, buffered=True, **more)

    def take(self, step: Step, agency: Any = OWNER) -> None:
        with self.app.app_context():
            official = an_official(agency)
            act_as(official)
            agreement_actions.take_step(official, self.agreement, step, "Por la prueba")

    def calls(self) -> list[GatewayCall]:
        with self.app.app_context():
            return list(session().scalars(select(GatewayCall).order_by(GatewayCall.id)))


def _service(code: str) -> Any:
    from catalogue.services.queries import own

    return own(code, an_official(OWNER))


@pytest.fixture
def consumer(app: Flask, address: str) -> Consumer:
    return Consumer(app, address)


def headers_of(response: TestResponse) -> dict[str, str]:
    return dict(response.get_json()["headers"])


def test_a_call_reaches_the_provider_and_is_counted(consumer: Consumer) -> None:
    response = consumer.call("/permisos/ABCD12?a=1&b=%20x", headers={"X-Mine": "yes"})
    seen = response.get_json()
    assert response.status_code == 200
    assert (seen["method"], seen["path"]) == ("GET", "/base/permisos/ABCD12?a=1&b=%20x")
    assert response.content_type == "application/vnd.permisos+json"
    assert response.headers["X-Provider"] == "yes"
    assert headers_of(response)["x-mine"] == "yes"
    (call,) = consumer.calls()
    assert (call.agreement, call.service, call.version) == (consumer.agreement, consumer.service, "v1")
    assert (call.consumer, call.owner, call.method, call.status, call.failed) == ("AE002", "AE001", "GET", 200, None)
    assert call.milliseconds is not None


def test_the_provider_learns_who_calls_and_both_get_the_trace(consumer: Consumer) -> None:
    response = consumer.call()
    sent = headers_of(response)
    assert sent["x-cordillera-consumer"] == CONSUMER.code
    assert sent["x-cordillera-agreement"] == consumer.agreement
    trace = response.headers["Cordillera-Trace"]
    assert sent["cordillera-trace"] == trace == consumer.calls()[0].trace
    code, _, ulid = trace.partition(".")
    assert (code, len(ulid)) == (CONSUMER.code, 26)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes_with_its_body(consumer: Consumer, method: str) -> None:
    seen = consumer.call("/x", method, data=b"12345", content_type="text/csv").get_json()
    assert (seen["method"], seen["body"]) == (method, 5)
    assert ["content-type", "text/csv"] in seen["headers"]


def test_head_passes_and_its_connection_is_closed(consumer: Consumer) -> None:
    for _ in range(3):
        response = consumer.call(method="HEAD")
        assert response.status_code == 200
        assert response.data == b""
        assert int(response.headers["Content-Length"]) > 0
    assert [call.status for call in consumer.calls()] == [200] * 3


@pytest.mark.parametrize("path", ["", "/"])
def test_the_service_itself_can_be_called(consumer: Consumer, path: str) -> None:
    assert consumer.call(path).get_json()["path"] == f"/base{path}"


@pytest.mark.parametrize("status", [201, 204, 302, 304, 400, 404, 422, 500, 503])
def test_the_providers_answer_passes_unchanged_and_says_it_is_theirs(consumer: Consumer, status: int) -> None:
    response = consumer.call(f"/status/{status}")
    assert response.status_code == status
    assert response.headers.get("Cordillera-Error") == ("provider" if status >= 400 else None)
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (status, "provider" if status >= 500 else None)


def test_a_redirect_is_not_followed(consumer: Consumer, provider: Any) -> None:
    response = consumer.call("/status/302")
    assert response.headers["Location"].startswith("http://169.254.169.254")
    assert len(provider.seen) == 1


def test_the_callers_secrets_and_the_connections_headers_stay_here(consumer: Consumer) -> None:
    response = consumer.call(
        headers={
            "Authorization": "Bearer secret",
            "Cookie": "a=b",
            "Connection": "close, X-Secret",
            "X-Secret": "1",
            "Keep-Alive": "5",
            "TE": "trailers",
            "Upgrade": "h2c",
            "Proxy-Authorization": "Basic x",
            "X-Forwarded-For": "1.2.3.4",
            "X-Forwarded-Host": "evil",
            "Forwarded": "for=1.2.3.4",
        }
    )
    sent = headers_of(response)
    kept = {"authorization", "cookie", "connection", "x-secret", "keep-alive", "te", "upgrade", "proxy-authorization"}
    assert not kept & set(sent)
    assert not [name for name in sent if "forwarded" in name]


def test_nobody_calls_in_anothers_name(consumer: Consumer) -> None:
    forged = {"X-Cordillera-Consumer": "AE999", "X-Cordillera-Anything": "x", "Cordillera-Trace": "AE999.X"}
    response = consumer.call(headers=forged)
    sent = response.get_json()["headers"]
    assert [value for name, value in sent if name == "x-cordillera-consumer"] == [CONSUMER.code]
    assert not [name for name, _ in sent if name == "x-cordillera-anything"]
    assert "AE999.X" not in str(sent)


def test_the_provider_sets_no_cookie_here_and_does_not_speak_for_the_gateway(consumer: Consumer) -> None:
    response = consumer.call()
    for name in ("Set-Cookie", "X-Hop", "Connection", "Cordillera-Error"):
        assert name not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/a/../../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/.%2e/secret",
        "/..%5csecret",
        "/a/..%252fsecret",
        "/%252e%252e/secret",
        "/%25252e%25252e/secret",
        "/..;/secret",
        "/./secret",
        "/a%00b",
        "/a%0d%0aX-Injected:%201",
        "/a\\..\\secret",
    ],
)
def test_no_path_climbs_out_of_the_providers_base(consumer: Consumer, provider: Any, path: str) -> None:
    response = consumer.call(path, environ_overrides={"RAW_URI": f"/gateway/{consumer.service}/v1{path}"})
    assert response.status_code in (400, 404)
    assert response.headers["Cordillera-Error"] == "gateway"
    assert provider.seen == []


def test_an_encoded_slash_stays_encoded(consumer: Consumer) -> None:
    raw = f"/gateway/{consumer.service}/v1/a%2Fb%20c"
    assert consumer.call("/a%2Fb%20c", environ_overrides={"RAW_URI": raw}).get_json()["path"] == "/base/a%2Fb%20c"


def test_a_raw_address_of_another_service_is_refused(consumer: Consumer, provider: Any) -> None:
    response = consumer.call(environ_overrides={"RAW_URI": "/gateway/SRV-999999/v1/permisos"})
    assert response.status_code == 400
    assert provider.seen == []


@pytest.mark.parametrize(
    "binding",
    [
        {"service": "SRV-999999"},
        {"version": "v2"},
        {"agreement": "ACU-2026-999999"},
        {"agreement": ""},
        {"service": "", "version": ""},
    ],
)
def test_a_token_of_another_service_version_or_agreement_does_not_pass(
    consumer: Consumer, provider: Any, binding: dict[str, str]
) -> None:
    response = consumer.call(by=consumer.a_machine(**binding))
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/token-for-another-service")
    assert response.headers["Cordillera-Error"] == "gateway"
    assert provider.seen == []
    assert consumer.calls() == []


@pytest.mark.parametrize(
    ("by", "status"),
    [
        (Principal(), 401),
        (an_official(CONSUMER), 403),
        (a_machine(CONSUMER, "gateway"), 403),
        (a_machine(CONSUMER, "catalogue.publish"), 403),
    ],
)
def test_without_a_bound_token_nothing_passes(consumer: Consumer, provider: Any, by: Principal, status: int) -> None:
    response = consumer.call(by=by)
    assert response.status_code == status
    assert response.headers["Cordillera-Error"] == "gateway"
    assert provider.seen == []


def test_a_token_of_another_agency_with_this_agreement_in_it_does_not_pass(consumer: Consumer) -> None:
    stolen = replace(consumer.machine, agency=STRANGER)
    assert consumer.call(by=stolen).status_code == 403


def test_another_version_or_service_with_this_token_does_not_pass(consumer: Consumer) -> None:
    client = consumer.caller.acting(consumer.machine)
    for path in (f"/gateway/{consumer.service}/v2/x", "/gateway/SRV-999999/v1/x"):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("agency", [OWNER, CONSUMER])
@pytest.mark.parametrize("step", [Step.SUSPEND, Step.END])
def test_what_either_side_suspends_or_ends_stops_at_once(
    consumer: Consumer, provider: Any, agency: Any, step: Step
) -> None:
    assert consumer.call().status_code == 200
    consumer.take(step, agency)
    response = consumer.call()
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/agreement-not-active")
    assert len(provider.seen) == 1


def test_what_is_resumed_passes_again(consumer: Consumer) -> None:
    consumer.take(Step.SUSPEND)
    consumer.take(Step.RESUME)
    assert consumer.call().status_code == 200


def test_replaced_credentials_stop_at_once(consumer: Consumer, app: Flask) -> None:
    with app.app_context():
        act_as(an_official(CONSUMER))
        agreement_actions.issue_credentials(an_official(CONSUMER), consumer.agreement)
    assert consumer.call().status_code == 403


def test_a_body_beyond_the_limit_is_refused_before_anything(consumer: Consumer, provider: Any) -> None:
    response = consumer.call("/x", "POST", data=b"x" * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert provider.seen == []
    assert consumer.calls() == []


def test_a_body_of_the_limit_passes(consumer: Consumer) -> None:
    assert consumer.call("/x", "POST", data=b"x" * MAX_BODY_BYTES).get_json()["body"] == MAX_BODY_BYTES


class Endless:
    """A chunked body that never ends."""

    def read(self, size: int = -1) -> bytes:
        return b"x" * min(size if size > 0 else 65536, 65536)

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


def test_a_chunked_body_is_cut_at_the_limit(consumer: Consumer) -> None:
    response = consumer.call(
        "/x",
        "POST",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": Endless(), "wsgi.input_terminated": True},
    )
    assert response.status_code == 413
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (413, None)


def test_a_provider_that_does_not_answer_is_a_502_of_theirs(app: Flask) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"localhost:{unused.getsockname()[1]}"
    object.__setattr__(app.extensions["cordillera.settings"], "outbound_allowed", frozenset({address}))
    consumer = Consumer(app, address)
    response = consumer.call()
    assert response.status_code == 502
    assert response.headers["Cordillera-Error"] == "provider"
    assert "Cordillera-Trace" in response.headers
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (502, "provider")


def test_a_provider_whose_name_now_leads_inside_is_not_called(consumer: Consumer, app: Flask, provider: Any) -> None:
    with app.app_context():
        session().execute(text("UPDATE service_version SET base_url = 'https://127.0.0.1/'"))
        session().commit()
    response = consumer.call()
    assert response.status_code == 502
    assert "127.0.0.1" not in response.text
    assert provider.seen == []


def test_an_answer_cut_short_is_not_passed_off_as_whole(consumer: Consumer) -> None:
    from kernel.errors import BadGateway

    with pytest.raises(BadGateway):
        consumer.call("/cut").get_data()
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (0, "provider")


def test_what_cannot_be_written_down_is_not_called(
    consumer: Consumer, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("disk"))

    monkeypatch.setattr("catalogue.metering.api.begin_call", fails)
    assert consumer.call().status_code == 503
    assert provider.seen == []


def test_a_count_that_cannot_be_completed_does_not_spoil_the_answer(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("gone"))

    monkeypatch.setattr("catalogue.metering.api.finish_call", fails)
    assert consumer.call().status_code == 200
    (call,) = consumer.calls()
    assert call.status is None


def test_both_agencies_see_the_same_count(consumer: Consumer) -> None:
    for path in ("/a", "/b", "/status/500"):
        consumer.call(path)
    for agency in (OWNER, CONSUMER):
        client = consumer.caller.acting(a_machine(agency, "catalogue.usage"))
        body = client.get(f"/api/v1/usage?agreement={consumer.agreement}").get_json()
        assert len(body["items"]) == queries.DAYS
        assert (body["items"][-1]["calls"], body["items"][-1]["failed"]) == (3, 1)
        page = consumer.caller.acting(an_official(agency)).get(f"/agency/agreements/{consumer.agreement}/usage")
        assert page.status_code == 200
        assert "<svg" in page.text


def test_nobody_else_sees_the_count(consumer: Consumer) -> None:
    machine, official = a_machine(STRANGER, "catalogue.usage"), an_official(STRANGER)
    address = f"/api/v1/usage?agreement={consumer.agreement}"
    assert consumer.caller.acting(machine).get(address).status_code == 404
    assert consumer.caller.acting(official).get(f"/agency/agreements/{consumer.agreement}/usage").status_code == 404
    assert consumer.caller.acting(a_machine(OWNER)).get(address).status_code == 403
    assert consumer.caller.acting(Principal()).get(address).status_code == 401


def test_twenty_at_once_are_counted_as_twenty(consumer: Consumer) -> None:
    consumer.caller.acting(consumer.machine)
    path = f"/gateway/{consumer.service}/v1/x"
    threads = [threading.Thread(target=lambda: consumer.app.test_client().get(path, buffered=True)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [call.status for call in consumer.calls()] == [200] * 20


def test_calls_lie_in_the_partition_of_their_month(consumer: Consumer) -> None:
    consumer.call()
    with consumer.app.app_context():
        (where,) = session().scalars(text("SELECT tableoid::regclass::text FROM gateway_call")).all()
    assert where.startswith("gateway_call_y")
