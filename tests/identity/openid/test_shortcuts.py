"""The shorter ways answer what the whole way answers, and leave to it whatever is unusual."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from builders.clients import a_system, basic, tokens_for
from builders.shortcuts import headers_of, said, taken, the_whole_way
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from identity.clients.registry.actions import NewClient, revoke_client
from identity.people.models import Person
from kernel.http import doors
from kernel.http.doors import DIRECT_DOORS
from kernel.jobs.access import Principal, act_as

PATHS = ("/openid/token", "/openid/introspect", "/openid/userinfo")


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        return a_system()


@pytest.fixture
def asked(client: FlaskClient, person: Person, made: NewClient, system: NewClient) -> dict[str, dict[str, Any]]:
    """A plain request to each of the endpoints."""
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
    }


@pytest.mark.parametrize("path", PATHS)
def test_a_plain_request_is_answered_as_by_the_whole_way(
    client: FlaskClient, asked: dict[str, dict[str, Any]], path: str
) -> None:
    the_whole_way(client, path, **asked[path])  # what is read once for all is read now
    with taken() as ways:
        short, whole = client.open(path, **asked[path]), the_whole_way(client, path, **asked[path])
    assert len(ways) == 1
    assert (short.status_code, said(short)) == (whole.status_code, said(whole)) == (200, said(whole))
    assert headers_of(short) == headers_of(whole)
    assert len(short.data) == int(short.headers["Content-Length"])


@pytest.mark.parametrize("path", PATHS)
def test_it_is_counted_logged_and_named_as_any_other(
    client: FlaskClient, asked: dict[str, dict[str, Any]], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"endpoint": f"openid.{path.rpartition('/')[2]}", "method": asked[path]["method"], "status": "200"}
    before = REGISTRY.get_sample_value("cordillera_requests_total", labels) or 0
    named = {**asked[path], "headers": asked[path]["headers"] | {"X-Request-Id": "a-sane-name"}}
    assert client.open(path, **named).headers["X-Request-Id"] == "a-sane-name"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"request"' in line]
    assert [(line["path"], line["status"]) for line in lines if line["request_id"] == "a-sane-name"] == [(path, 200)]
    assert REGISTRY.get_sample_value("cordillera_requests_total", labels) == before + 1
    odd = asked[path] | {"headers": asked[path]["headers"] | {"X-Request-Id": "<script>"}}
    assert client.open(path, **odd).headers["X-Request-Id"] != "<script>"


ODD: list[dict[str, Any]] = [
    {"query_string": {"a": "b"}},
    {"headers": {"Authorization": ""}},
    {"headers": {"Authorization": "Basic %%%"}},
    {"headers": {"Authorization": "Bearer " + "x" * 20_000}},
    {"headers": {"Authorization": "DPoP abc"}},
    {"headers": {"DPoP": "abc"}},
    {"headers": {"Accept": "application/token-introspection+jwt"}},
    {"headers": {"Transfer-Encoding": "chunked"}},
    {"data": {"grant_type": ["client_credentials", "client_credentials"], "token": ["a", "a"]}},
    {"data": {"grant_type": "client_credentials", "scope": "unknown", "token": "a", "token_type_hint": "b"}},
    {"data": {"grant_type": "", "token": ""}},
    {"data": {"grant_type": "client_credentials\x00", "token": "\x00"}},
    {"data": b"grant_type=%ff&token=%ff", "content_type": doors.FORM},
    {"data": b"grant_type=\xff&token=\xff", "content_type": doors.FORM},
    {"data": b"&".join(b"a%d=b" % number for number in range(40)), "content_type": doors.FORM},
    {"data": b"token=" + b"x" * 20_000, "content_type": doors.FORM},
    {"data": b'{"grant_type": "client_credentials"}', "content_type": "application/json"},
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:40])
def test_what_is_odd_is_answered_as_by_the_whole_way(
    client: FlaskClient, asked: dict[str, dict[str, Any]], path: str, odd: dict[str, Any]
) -> None:
    request = asked[path] | odd | {"headers": asked[path]["headers"] | odd.get("headers", {})}
    if request["method"] == "GET":
        request.pop("data", None)
    short, whole = client.open(path, **request), the_whole_way(client, path, **request)
    assert (short.status_code, said(short)) == (whole.status_code, said(whole))
    assert headers_of(short) == headers_of(whole)


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_secret_and_a_revoked_client_go_the_whole_way(
    app: Flask, client: FlaskClient, asked: dict[str, dict[str, Any]], made: NewClient, system: NewClient, path: str
) -> None:
    with app.app_context():
        act_as(Principal("system", "test", "test"))
        for one in (made, system):
            revoke_client(one.client.client_id)
    with taken() as ways:
        assert client.open(path, **asked[path]).status_code == 401
        wrong = basic(system.client.client_id, "not the secret")
        assert client.open(path, **asked[path] | {"headers": wrong}).status_code == 401
    assert ways == []


def test_a_defect_of_a_shortcut_costs_time_only(client: FlaskClient, asked: dict[str, dict[str, Any]]) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    for path in PATHS:
        known = DIRECT_DOORS.of(client.application)
        method = asked[path]["method"]
        with patch.dict(known, {(method, path): doors.Shortcut("broken", fail)}):
            assert client.open(path, **asked[path]).status_code == 200
