"""Every request is answered alike by both doors, whatever it is, and the direct one leaves none to the other."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from builders.clients import a_request, a_system, basic, tokens_for
from builders.doors import directly, directly_answered, headers_of, said, through_flask
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from identity.clients.registry.actions import NewClient, revoke_client
from identity.people.models import Person
from kernel.http.doors import DIRECT_DOORS, Door
from kernel.http.incoming import FORM, Answer, Incoming
from kernel.jobs.access import Principal, act_as

PATHS = ("/openid/token", "/openid/introspect", "/openid/userinfo", "/openid/revoke", "/openid/par")
Asked = dict[str, dict[str, Any]]


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        return a_system()


@pytest.fixture
def asked(client: FlaskClient, person: Person, made: NewClient, system: NewClient) -> Asked:
    """A sound request to each of the endpoints, which may be sent twice."""
    access_token = tokens_for(client, made)["access_token"]
    secret = basic(made.client.client_id, made.secret)
    return {
        "/openid/token": {
            "method": "POST",
            "headers": basic(system.client.client_id, system.secret),
            "data": {"grant_type": "client_credentials"},
        },
        "/openid/introspect": {"method": "POST", "headers": secret, "data": {"token": access_token}},
        "/openid/userinfo": {"method": "GET", "headers": {"Authorization": f"Bearer {access_token}"}},
        "/openid/revoke": {"method": "POST", "headers": secret, "data": {"token": "unknown"}},
        "/openid/par": {"method": "POST", "headers": secret, "data": a_request(made)},
    }


def assert_alike(client: FlaskClient, path: str, request: dict[str, Any]) -> int:
    """The status that both doors answer with."""
    direct, behind = directly(client, path, **request), through_flask(client, path, **request)
    assert (direct.status_code, said(direct)) == (behind.status_code, said(behind))
    assert headers_of(direct) == headers_of(behind)
    assert len(direct.data) == int(direct.headers["Content-Length"])
    return direct.status_code


@pytest.mark.parametrize("path", PATHS)
def test_a_sound_request_is_answered_alike(client: FlaskClient, asked: Asked, path: str) -> None:
    through_flask(client, path, **asked[path])  # what is read once for all is read now
    assert assert_alike(client, path, asked[path]) in (200, 201)
    assert assert_alike(client, f"{path}/", asked[path]) in (200, 201)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("door", [directly, through_flask])
def test_it_is_counted_logged_and_named_by_either_door(
    client: FlaskClient, asked: Asked, path: str, capsys: pytest.CaptureFixture[str], door: Callable[..., Any]
) -> None:
    status = door(client, path, **asked[path]).status_code
    labels = {
        "endpoint": f"openid.{path.rpartition('/')[2]}",
        "method": asked[path]["method"],
        "status": str(status),
    }
    before = REGISTRY.get_sample_value("cordillera_requests_total", labels) or 0
    named = {**asked[path], "headers": asked[path]["headers"] | {"X-Request-Id": "a-sane-name"}}
    assert door(client, path, **named).headers["X-Request-Id"] == "a-sane-name"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"request"' in line]
    told = [(line["path"], line["status"]) for line in lines if line["request_id"] == "a-sane-name"]
    assert told == [(path, status)]
    assert REGISTRY.get_sample_value("cordillera_requests_total", labels) == before + 1
    odd = asked[path] | {"headers": asked[path]["headers"] | {"X-Request-Id": "<script>"}}
    assert door(client, path, **odd).headers["X-Request-Id"] != "<script>"


ODD: list[dict[str, Any]] = [
    {"query_string": {"a": "b"}},
    {"headers": {"Authorization": ""}},
    {"headers": {"Authorization": "Basic %%%"}},
    {"headers": {"Authorization": "Bearer " + "x" * 20_000}},
    {"headers": {"Authorization": "DPoP abc"}},
    {"headers": {"DPoP": "abc"}},
    {"headers": {"Accept": "application/token-introspection+jwt"}},
    {"headers": {"Accept": "application/token-introspection+jwt;q=0.1, application/json"}},
    {"headers": {"Origin": "https://elsewhere.cl"}},
    {"headers": {"Cookie": "language=es"}},
    {"data": {"grant_type": ["client_credentials", "client_credentials"], "token": ["a", "a"]}},
    {"data": {"grant_type": "client_credentials", "scope": "unknown", "token": "a", "token_type_hint": "b"}},
    {"data": {"grant_type": "", "token": ""}},
    {"data": {"grant_type": "client_credentials\x00", "token": "\x00"}},
    {"data": {"grant_type": "implicit", "client_id": "another", "token": "a.b.c"}},
    {"data": {"client_assertion": "a.b.c", "client_assertion_type": "x", "token": "a"}},
    {"data": {"client_secret": "in the form too", "token": "a"}},
    {"data": {"grant_type": "client_credentials", "token": "a"}, "content_type": "multipart/form-data"},
    {"data": b"grant_type=%ff&token=%ff", "content_type": FORM},
    {"data": b"grant_type=\xff&token=\xff", "content_type": FORM},
    {"data": b"grant_type=client_credentials&token=a", "content_type": f"{FORM}; charset=utf-8"},
    {"data": b"&".join(b"a%d=b" % number for number in range(40)), "content_type": FORM},
    {"data": b"token=" + b"x" * 20_000, "content_type": FORM},
    {"data": b"token=" + b"x" * 3_000_000, "content_type": FORM},
    {"data": b'{"grant_type": "client_credentials"}', "content_type": "application/json"},
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:40])
def test_what_is_odd_is_answered_alike(client: FlaskClient, asked: Asked, path: str, odd: dict[str, Any]) -> None:
    request = asked[path] | odd | {"headers": asked[path]["headers"] | odd.get("headers", {})}
    if request["method"] == "GET":
        request.pop("data", None)
    assert assert_alike(client, path, request) < 500


@pytest.mark.parametrize("path", PATHS)
def test_a_body_in_pieces_is_read_by_either_door(client: FlaskClient, asked: Asked, path: str) -> None:
    in_pieces = {"environ_overrides": {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}}
    assert assert_alike(client, path, asked[path] | in_pieces) in (200, 201)


@pytest.mark.parametrize("path", PATHS)
def test_what_a_duty_refuses_is_told_by_flask(client: FlaskClient, asked: Asked, path: str) -> None:
    request = asked[path] | {
        "headers": asked[path]["headers"] | {"Transfer-Encoding": "gzip", "Accept": "application/json"}
    }
    with directly_answered() as found:
        refused = client.open(path, **request)
    assert (refused.status_code, found) == (501, [])
    assert headers_of(refused) == headers_of(through_flask(client, path, **request))


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_secret_and_a_revoked_client_are_refused_alike(
    app: Flask, client: FlaskClient, asked: Asked, made: NewClient, system: NewClient, path: str
) -> None:
    with app.app_context():
        act_as(Principal("system", "test", "test"))
        for one in (made, system):
            revoke_client(one.client.client_id)
    assert assert_alike(client, path, asked[path]) == 401
    asking = system if path == "/openid/token" else made
    wrong = basic(asking.client.client_id, "not the secret")
    assert assert_alike(client, path, asked[path] | {"headers": wrong}) == 401


def test_a_defect_is_told_as_any_other_and_the_endpoint_asked_once(
    app: Flask, client: FlaskClient, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    app.config["TESTING"] = False  # as outside of tests, where a defect is an answer
    calls: list[str] = []

    def fail(incoming: Incoming) -> Answer:
        calls.append(incoming.path)
        raise RuntimeError("never told")

    for path in PATHS:
        key = (asked[path]["method"], path)
        broken = Door("openid.broken", fail, None)
        with patch.dict(DIRECT_DOORS.of(app), {key: broken}):
            named = {**asked[path], "headers": asked[path]["headers"] | {"X-Request-Id": "a-sane-name"}}
            answer = client.open(path, **named)
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (500, "a-sane-name")
        assert "never told" not in answer.text
    assert calls == list(PATHS)
