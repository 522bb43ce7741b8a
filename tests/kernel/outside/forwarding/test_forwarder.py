"""Forwarding as any capability may use it, against a provider that writes octets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest
from builders.apps import under_test
from builders.raw_provider import CLOSE, RawProvider, Steps, a_raw_provider
from flask import Blueprint, Flask, Response

from kernel.base.errors import Problem, Unavailable
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from kernel.jobs.access import public
from kernel.outside.forwarding.calls import METHODS, call_of_request, register_rest_of_path
from kernel.outside.forwarding.forwarder import Forwarder, HeaderList, Outcome
from kernel.outside.forwarding.headers import HeaderRules
from portal.app import create_app

PIECES = [os.urandom(1024) for _ in range(200)]
ANSWERS: Mapping[str, Steps] = {
    "large": [b"HTTP/1.1 200 OK\r\nContent-Length: 204800\r\n\r\n", *PIECES],
    "cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", CLOSE],
    "silent": [CLOSE],
}
FORWARDER = Forwarder(
    name="relay", failure_header="Relay-Error", header_rules=HeaderRules(own=("relay-",)), max_response_bytes=1_000_000
)


@dataclass
class Moments:
    """A recorder that remembers the order of what happened, and refuses at the moment it is told to."""

    provider: RawProvider
    refuses_at: str = ""
    trace: str = "T1"
    moments: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def _at(self, moment: str) -> None:
        self.moments.append(f"{moment}, {len(self.provider.requests)} sent")
        if moment == self.refuses_at:
            raise Unavailable(log="cannot be recorded")

    def refuse(self, status: int, failed: str) -> HeaderList:
        self._at(f"refused {status} {failed}")
        return []

    def begin(self) -> str:
        self._at("begin")
        return f"http://{self.provider.address}/base"

    def request_headers(self, url: str, headers: HeaderList) -> HeaderList:
        self._at("request")
        return [*headers, ("Relay-Url", url)]

    def response_headers(self, status: int, headers: HeaderList) -> HeaderList:
        if self.refuses_at == "response" and status >= 500:
            return [("Relay-Status", str(status))]
        self._at("response")
        return [("Relay-Status", str(status))]

    def finish(self, outcome: Outcome) -> None:
        self._at("finish")
        self.outcomes.append(outcome)


@pytest.fixture
def recorder() -> Iterator[Moments]:
    with a_raw_provider(ANSWERS) as provider:
        yield Moments(provider)


@pytest.fixture
def relay(settings: Settings, recorder: Moments) -> Iterator[Flask]:
    """The kernel alone with a forwarder of five lines."""
    reachable = frozenset({recorder.provider.address})
    app = under_test(create_app(replace(settings, blocks=(), outbound_allowed=reachable)))
    pages = Blueprint("relay", __name__)
    pages.record(register_rest_of_path)

    @pages.route("/to/<rest_of_path:path>", methods=METHODS, provide_automatic_options=False)
    @public("a test")
    def relayed(path: str) -> Response:
        return FORWARDER.forward(call_of_request("/to", 1_000), recorder, destination="provider")

    app.register_blueprint(pages)
    yield app
    ENGINE.of(app).dispose()


def test_a_call_is_recorded_before_it_goes_out_before_its_answer_goes_back_and_when_it_ended(
    relay: Flask, recorder: Moments
) -> None:
    response = relay.test_client().get("/to/large?a=%2F", buffered=False)
    assert recorder.moments == ["begin, 0 sent", "request, 0 sent", "response, 1 sent"]
    assert response.headers["Relay-Status"] == "200"
    assert response.get_data() == b"".join(PIECES)
    response.close()
    assert recorder.moments[3:] == ["finish, 1 sent"]
    assert recorder.provider.requests == ["/base/large?a=%2F"]
    assert [(outcome.status, outcome.failed) for outcome in recorder.outcomes] == [(200, None)]


@pytest.mark.parametrize("moment", ["begin", "request"])
def test_what_cannot_be_recorded_before_it_goes_out_is_not_sent(relay: Flask, recorder: Moments, moment: str) -> None:
    recorder.refuses_at = moment
    assert relay.test_client().get("/to/large").status_code == 503
    assert recorder.provider.requests == []


def test_an_answer_that_cannot_be_recorded_is_withheld_and_the_failure_is_ours(relay: Flask, recorder: Moments) -> None:
    recorder.refuses_at = "response"
    response = relay.test_client().get("/to/large")
    assert (response.status_code, response.headers["Relay-Error"]) == (503, "relay")
    assert PIECES[0] not in response.get_data()
    assert [(outcome.status, outcome.failed) for outcome in recorder.outcomes] == [(503, "relay")]


def test_the_provider_is_named_where_it_failed(relay: Flask, recorder: Moments) -> None:
    response = relay.test_client().get("/to/silent")
    assert (response.status_code, response.headers["Relay-Error"]) == (502, "provider")
    assert response.headers["Relay-Status"] == "502"
    with pytest.raises(Problem):
        relay.test_client().get("/to/cut", buffered=True)
    assert [(outcome.status, outcome.failed) for outcome in recorder.outcomes] == [(502, "provider"), (0, "provider")]


def test_a_body_beyond_the_limit_is_refused_before_anything_is_recorded(relay: Flask, recorder: Moments) -> None:
    assert relay.test_client().post("/to/large", data=b"x" * 1_001).status_code == 413
    assert recorder.moments == []
