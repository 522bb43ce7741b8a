"""The gateway against a real little provider: what passes, and what is counted."""

import socket
import threading
from typing import Any

import pytest
from builders.catalogue import CONSUMER, OWNER, a_machine, an_official
from builders.gateway import Consumer, headers_of
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from catalogue.metering import queries
from kernel.base.errors import BadGateway
from kernel.base.installation import SETTINGS
from kernel.database.db import session


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


def test_a_provider_that_does_not_answer_is_a_502_of_theirs(gateway_app: Flask) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"localhost:{unused.getsockname()[1]}"
    object.__setattr__(SETTINGS.of(gateway_app), "outbound_allowed", frozenset({address}))
    consumer = Consumer(gateway_app, address)
    response = consumer.call()
    assert response.status_code == 502
    assert response.headers["Cordillera-Error"] == "provider"
    assert "Cordillera-Trace" in response.headers
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (502, "provider")


def test_an_answer_cut_short_is_not_passed_off_as_whole(consumer: Consumer) -> None:
    with pytest.raises(BadGateway):
        consumer.call("/cut").get_data()
    (call,) = consumer.calls()
    assert (call.status, call.failed) == (0, "provider")


def test_what_cannot_be_written_down_is_not_called(
    consumer: Consumer, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("disk"))

    monkeypatch.setattr("catalogue.gateway.web.begin_call", fails)
    assert consumer.call().status_code == 503
    assert provider.seen == []


def test_a_count_that_cannot_be_completed_does_not_spoil_the_answer(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("gone"))

    monkeypatch.setattr("catalogue.gateway.web.finish_call", fails)
    assert consumer.call().status_code == 200
    (call,) = consumer.calls()
    assert call.status is None
    page = consumer.caller.acting(an_official(OWNER)).get(f"/agency/agreements/{consumer.agreement}/usage")
    assert 'id="unfinished"' in page.text
    usage = consumer.caller.acting(a_machine(OWNER, "catalogue.usage"))
    body = usage.get(f"/api/v1/usage?agreement={consumer.agreement}").get_json()
    assert (body["items"][-1]["calls"], body["items"][-1]["unfinished"]) == (1, 1)


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
