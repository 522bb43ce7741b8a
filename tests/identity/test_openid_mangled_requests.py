"""Every parameter of an authorization request, mangled one by one: no endpoint breaks, no browser goes astray."""

import base64
import json
from collections.abc import Callable
from itertools import product
from urllib.parse import quote_from_bytes, urlencode

import pytest
from builders.clients import CALLBACK, a_request
from builders.identity import a_person, sign_in
from builders.requests import a_key, a_signing_client
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.actions import NewClient

PARAMETERS = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge"),
    *("code_challenge_method", "prompt", "max_age", "acr_values", "claims", "id_token_hint", "login_hint"),
    *("ui_locales", "display", "registration", "request", "request_uri", "resource", "authorization_details"),
    *("dpop_jkt", "detour", "client_assertion", "client_assertion_type"),
)


def a_token(header: object) -> bytes:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, {"iss": "x"})]
    return b".".join([*parts, b"AAAA"])


HEADERS: list[object] = [
    {"alg": "none"},
    {"alg": ["ES256"]},
    {"alg": "ES256", "crit": ["x"]},
    {"alg": "ES256", "jwk": {}},
    {"alg": "ES256", "x5u": "http://127.0.0.1/"},
    {"alg": "ES256", "b64": False},
    {"alg": "ES256", "kid": {"a": 1}},
    [],
    "x",
    1,
]
NASTY = [
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"%",
    b"-1",
    b"NaN",
    b"9" * 400,
    b"x" * 10_000,
    b"[" * 5_000,
    b"null",
    b"[]",
    b"{}",
    b'{"id_token": {"acr": {"values": [null]}}}',
    b'{"userinfo": {"sub": {"value": "\\ud800"}, "email": {"value": {"a": 1}}}}',
    b'{"id_token": {"acr": {"essential": true, "values": ["\\u0000"]}}}',
    b'[{"type": {}}]',
    b"[7]",
    b'[{"type": "urn:cordillera:agreement", "identifier": "ACU-2026-000001\\u0000"}]',
    b'[{"type": "urn:cordillera:agreement", "identifier": "ACU-2026-000001\\n"}]',
    b"urn:ietf:params:oauth:request_uri:\x00",
    b"sign-in.1.1." + b"0" * 64,
    b"consent.99999999999.99999999999." + b"f" * 64,
    *map(a_token, HEADERS),
]


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        return a_signing_client(a_key())


def test_one_mangled_parameter_breaks_nothing(app: Flask, client: FlaskClient, made: NewClient) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    form = "application/x-www-form-urlencoded"
    ways: list[Callable[[str], TestResponse]] = [
        lambda query: client.get(f"/openid/authorize?{query}"),
        lambda query: client.post("/openid/par", data=f"{query}&client_secret={made.secret}", content_type=form),
        lambda query: client.post("/openid/authorize", data=query, content_type=form),
        lambda query: client.post(f"/openid/consent?{query}", data={"decision": "allow"}),
    ]
    megabytes = [(name, b"x" * 1_000_000) for name in ("state", "request", "claims", "authorization_details")]
    for turn, (name, nasty) in enumerate([*product(PARAMETERS, NASTY), *megabytes]):
        rest = urlencode({each: value for each, value in a_request(made).items() if each != name})
        # Every value and every parameter goes each of the ways, though not every pair of them.
        answer = ways[turn % len(ways)](f"{rest}&{name}={quote_from_bytes(nasty)}")
        assert answer.status_code < 500, (name, nasty[:80])
        place = answer.headers.get("Location", "/")
        assert place.startswith(("/", CALLBACK)), (name, nasty[:80])
        assert not place.startswith("//")
