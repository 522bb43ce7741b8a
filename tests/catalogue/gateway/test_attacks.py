"""The gateway against those who want more than their agreement gives."""

import io
from dataclasses import replace
from typing import Any

import pytest
from builders.catalogue import CONSUMER, OWNER, STRANGER, a_machine, an_official
from builders.gateway import Consumer, headers_of
from sqlalchemy import text

from catalogue.agreements import actions as agreement_actions
from catalogue.agreements.rules import Transition
from catalogue.gateway.rules import MAX_BODY_BYTES
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as


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
@pytest.mark.parametrize("step", [Transition.SUSPEND, Transition.END])
def test_what_either_side_suspends_or_ends_stops_at_once(
    consumer: Consumer, provider: Any, agency: Any, step: Transition
) -> None:
    assert consumer.call().status_code == 200
    consumer.take(step, agency)
    response = consumer.call()
    assert response.status_code == 403
    assert response.get_json()["type"].endswith("/problems/agreement-not-active")
    assert len(provider.seen) == 1


def test_what_is_resumed_passes_again(consumer: Consumer) -> None:
    consumer.take(Transition.SUSPEND)
    consumer.take(Transition.RESUME)
    assert consumer.call().status_code == 200


def test_replaced_credentials_stop_at_once(consumer: Consumer) -> None:
    with consumer.app.app_context():
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


def test_a_provider_whose_name_now_leads_inside_is_not_called(consumer: Consumer, provider: Any) -> None:
    with consumer.app.app_context():
        session().execute(text("UPDATE service_version SET base_url = 'https://127.0.0.1/'"))
        session().commit()
    response = consumer.call()
    assert response.status_code == 502
    assert "127.0.0.1" not in response.text
    assert provider.seen == []


def test_nobody_else_sees_the_count(consumer: Consumer) -> None:
    machine, official = a_machine(STRANGER, "catalogue.usage"), an_official(STRANGER)
    address = f"/api/v1/usage?agreement={consumer.agreement}"
    assert consumer.caller.acting(machine).get(address).status_code == 404
    assert consumer.caller.acting(official).get(f"/agency/agreements/{consumer.agreement}/usage").status_code == 404
    assert consumer.caller.acting(a_machine(OWNER)).get(address).status_code == 403
    assert consumer.caller.acting(Principal()).get(address).status_code == 401


def test_a_truncated_upload_is_the_callers_mistake(consumer: Consumer, provider: Any) -> None:
    ended = {"wsgi.input": io.BytesIO(b"abc"), "wsgi.input_terminated": True, "CONTENT_LENGTH": "1000"}
    response = consumer.call("/x", "POST", environ_overrides=ended)
    assert response.status_code == 400
    assert response.headers["Cordillera-Error"] == "gateway"
    assert [(call.status, call.failed) for call in consumer.calls()] == [(400, None)]
    # What passed until then has passed, but under the length announced: the provider can tell that it is not whole.
    assert all(dict(seen["headers"])["content-length"] == "1000" for seen in provider.seen)
