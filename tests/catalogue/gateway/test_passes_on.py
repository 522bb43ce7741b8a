"""The gateway against providers that answer oddly: what came passes, and who failed is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

import pytest
from builders.apps import under_test
from builders.gateway import Consumer
from builders.raw_provider import CLOSE, RawProvider, Steps, a_raw_provider
from flask import Flask

from catalogue.gateway.queries import calls_today
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from kernel.outside.bulkheads import Place, Saturated, outward_calls
from portal.app import create_app

RULES_FOR_OTHERS = (
    b"NEL: {}\r\nReport-To: {}\r\nReporting-Endpoints: a=b\r\nAlt-Svc: h3\r\nService-Worker-Allowed: /\r\n"
    b"Set-Cookie2: a=b\r\nSet-Login: logged-in\r\nAccept-CH: DPR\r\nPublic-Key-Pins: x\r\n"
    b"X-Accel-Redirect: /private\r\nX-Sendfile: /etc/passwd\r\n"
)
ANSWERS: Mapping[str, Steps] = {
    "head": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", CLOSE],
    "chunked-head": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CLOSE],
    "both": [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
    "moved": [b"HTTP/1.1 302 Found\r\nLocation: /base/\xc3\xb1?a=\xc3\xb1#b\r\nContent-Length: 0\r\n\r\n"],
    "outside": [b"HTTP/1.1 302 Found\r\nLocation: /admin\r\nContent-Length: 0\r\n\r\n"],
    "elsewhere": [b"HTTP/1.1 302 Found\r\nLocation: https://otra.example/base/x\r\nContent-Length: 0\r\n\r\n"],
    "origin": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: x\r\n" + RULES_FOR_OTHERS + b"\r\nok"],
    "events": [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", 30.0],
    "control": [b"HTTP/1.1 200 OK\r\nX-Name: a\x01b\r\nContent-Length: 2\r\n\r\nok"],
    "delete": [b"HTTP/1.1 200 OK\r\nX-Name: a\x7fb\r\nContent-Length: 2\r\n\r\nok"],
    "vast": [b"HTTP/1.1 200 OK\r\nContent-Length: 104857601\r\n\r\n", b"x" * 1_000],
    "limited": [b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRateLimit: "hour";r=7;t=5\r\n\r\n'],
}


@pytest.fixture
def raw() -> Iterator[RawProvider]:
    with a_raw_provider(ANSWERS) as provider:
        yield provider


def _app(settings: Settings, provider: RawProvider) -> Flask:
    return under_test(create_app(replace(settings, outbound_allowed=frozenset({provider.address}))))


@pytest.fixture
def odd(settings: Settings, raw: RawProvider) -> Iterator[Consumer]:
    """A consumer of the odd provider."""
    app = _app(settings, raw)
    yield Consumer(app, raw.address)
    ENGINE.of(app).dispose()


@pytest.mark.parametrize("path", ["/head", "/chunked-head"])
def test_a_provider_that_breaks_off_before_the_body_has_not_answered(odd: Consumer, path: str) -> None:
    response = odd.call(path)
    assert response.status_code == 502
    assert response.content_type == "application/problem+json"
    assert response.headers["Cordillera-Error"] == "provider"
    (call,) = odd.calls()
    assert response.headers["Cordillera-Trace"] == call.trace
    assert (call.status, call.failed) == (502, "provider")


@pytest.mark.parametrize("path", ["/control", "/delete"])
def test_a_provider_whose_headers_have_control_characters_has_not_answered(odd: Consumer, path: str) -> None:
    response = odd.call(path)
    assert response.status_code == 502
    assert response.headers["Cordillera-Error"] == "provider"
    (call,) = odd.calls()
    assert (call.status, call.failed, call.trace) == (502, "provider", response.headers["Cordillera-Trace"])


def test_an_answer_that_says_that_it_is_too_large_is_refused_before_its_body(odd: Consumer) -> None:
    response = odd.call("/vast")
    assert (response.status_code, response.headers["Cordillera-Error"]) == (502, "provider")
    assert "más grande" in response.get_json()["detail"]
    assert odd.call("/vast", "HEAD").status_code == 200


QUERY_OCTETS = """/x?a="<>`|{}^'%22%zz[]~"""


def test_a_query_passes_octet_by_octet(odd: Consumer, raw: RawProvider) -> None:
    odd.call("/x", environ_overrides={"RAW_URI": f"/gateway/{odd.service}/v1{QUERY_OCTETS}"})
    assert raw.requests == [f"/base{QUERY_OCTETS}"]


@pytest.mark.parametrize("path", ["/a%0ab", "/a%0d%0aX-B:1"])
def test_a_line_feed_in_a_path_is_refused_and_not_merely_not_found(odd: Consumer, path: str) -> None:
    response = odd.call(path, environ_overrides={"RAW_URI": f"/gateway/{odd.service}/v1{path}"})
    assert response.status_code == 400
    assert response.get_json()["detail"]


PREFLIGHT = {"Origin": "https://pagina.example", "Access-Control-Request-Method": "GET"}


def test_a_preflight_is_told_that_calls_come_from_servers(odd: Consumer, raw: RawProvider) -> None:
    response = odd.app.test_client().options(f"/gateway/{odd.service}/v1/x", headers=PREFLIGHT)
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/not-for-pages")
    assert response.headers["Cordillera-Error"] == "gateway"
    assert not [name for name, _value in response.headers if name.startswith("Access-Control-")]
    assert raw.requests == []


@pytest.mark.parametrize(("whose", "failed"), [("", "provider"), ("-another", "gateway")])
def test_a_call_for_which_there_is_no_place_is_written_down_as_refused(
    odd: Consumer, raw: RawProvider, whose: str, failed: str
) -> None:
    held: list[Place] = []
    with odd.app.app_context(), suppress(Saturated):
        for number in range(1_000):
            # Places for this provider, or a few for each of many others.
            held.append(outward_calls().take("gateway", odd.service + (whose and f"{whose}-{number}")))
    response = odd.call("/x")
    assert response.status_code == 503
    assert response.headers["Cordillera-Error"] == failed
    (call,) = odd.calls()
    assert (call.status, call.failed, call.trace) == (503, failed, response.headers["Cordillera-Trace"])
    assert raw.requests == []
    with odd.app.app_context():
        assert calls_today(odd.agreement) == 0, "it does not count for the day"
    for each in held:
        each.release()
    assert odd.call("/x").status_code == 200


def test_a_length_that_chunks_override_is_not_passed_on(odd: Consumer) -> None:
    response = odd.call("/both")
    assert response.data == b"x"
    assert "Content-Length" not in response.headers


def test_a_redirect_leads_back_through_the_gateway_octet_by_octet(odd: Consumer) -> None:
    response = odd.call("/moved")
    assert response.status_code == 302
    assert response.headers["Location"] == f"/gateway/{odd.service}/v1/\xc3\xb1?a=\xc3\xb1#b"


def test_a_redirect_out_of_the_services_base_does_not_name_the_providers_host(odd: Consumer) -> None:
    response = odd.call("/outside")
    assert response.status_code == 302
    assert "Location" not in response.headers


def test_a_redirect_to_another_host_passes_as_it_is(odd: Consumer) -> None:
    assert odd.call("/elsewhere").headers["Location"] == "https://otra.example/base/x"


def test_a_provider_rules_neither_this_origin_nor_the_web_server_before_it(odd: Consumer) -> None:
    response = odd.call("/origin")
    assert response.headers["ETag"] == "x"
    ruled = ("nel", "report", "alt-svc", "service-worker", "set-", "accept-ch", "public-key", "x-accel", "x-sendfile")
    assert not [name for name, _ in response.headers if name.lower().startswith(ruled)]


def test_the_headers_of_an_event_stream_do_not_wait_for_the_first_event(odd: Consumer) -> None:
    client = odd.caller.acting(odd.machine)
    response = client.get(f"/gateway/{odd.service}/v1/events", buffered=False)
    assert response.status_code == 200
    assert next(response.iter_encoded()) == b""  # upon which a server sends the headers
    response.close()


def test_event_streams_hold_their_share_of_places_for_as_long_as_they_last(odd: Consumer, settings: Settings) -> None:
    client, address = odd.caller.acting(odd.machine), f"/gateway/{odd.service}/v1/events"
    share = settings.outward_calls * settings.destination_percent // 100
    streams = [client.get(address, buffered=False) for _ in range(share)]
    assert [stream.status_code for stream in streams] == [200] * share
    refused = odd.call("/events")
    assert refused.status_code == 503
    assert refused.headers["Cordillera-Error"] == "provider"
    assert "Retry-After" in refused.headers
    streams[0].close()
    streams[0] = client.get(address, buffered=False)
    assert streams[0].status_code == 200
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("path", ["//MFEwTzBN", "///", "/a//b", "//"])
def test_slashes_pass_as_they_were_written(odd: Consumer, raw: RawProvider, path: str) -> None:
    response = odd.call(path, environ_overrides={"RAW_URI": f"/gateway/{odd.service}/v1{path}"})
    assert response.status_code == 200
    assert raw.requests == [f"/base{path}"]


@pytest.mark.parametrize("method", ["QUERY", "PROPFIND", "LINK", "REPORT"])
def test_methods_beyond_the_common_ones_pass(odd: Consumer, method: str) -> None:
    assert odd.call("/x", method, data=b"q").status_code == 200
    assert odd.calls()[0].method == method


def test_trace_is_refused_with_what_is_accepted(odd: Consumer) -> None:
    response = odd.call("/x", "TRACE")
    assert response.status_code == 405
    assert "QUERY" in response.headers["Allow"]
    assert response.headers["Cordillera-Error"] == "gateway"


def test_who_asks_for_a_websocket_is_told_that_there_is_none(odd: Consumer, raw: RawProvider) -> None:
    response = odd.call("/x", headers={"Connection": "Upgrade", "Upgrade": "WebSocket"})
    assert response.status_code == 501
    assert response.get_json()["type"].endswith("/problems/no-upgrade")
    assert raw.requests == []


def test_the_calls_left_of_the_day_are_told_beside_the_providers_own_limits(odd: Consumer) -> None:
    response = odd.call("/limited")
    theirs, ours = response.headers.getlist("RateLimit")
    assert theirs == '"hour";r=7;t=5'
    assert ours.startswith('"agreement";r=499;t=')
    assert response.headers["RateLimit-Policy"] == '"agreement";q=500;w=86400'


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_call_that_meets_the_close_of_a_kept_connection_is_made_again(settings: Settings, method: str) -> None:
    with a_raw_provider({}, closes_when_asked_again=True) as closing:
        consumer = Consumer(_app(settings, closing), closing.address)
        assert [consumer.call("/x", method).status_code for _ in range(3)] == [200] * 3


def test_a_call_that_may_not_be_made_twice_is_not(settings: Settings) -> None:
    with a_raw_provider({}, closes_when_asked_again=True) as closing:
        consumer = Consumer(_app(settings, closing), closing.address)
        answers = [consumer.call("/x", "POST", data=b"1").status_code for _ in range(2)]
        assert answers == [200, 502]
        assert len(closing.requests) == 1


def test_a_provider_that_refuses_new_connections_too_is_asked_once_more_only(settings: Settings) -> None:
    with a_raw_provider({"x": [CLOSE]}) as closing:
        consumer = Consumer(_app(settings, closing), closing.address)
        assert consumer.call("/x").status_code == 502
        assert len(closing.requests) == 1
