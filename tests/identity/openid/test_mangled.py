"""No request, however mangled, breaks an endpoint or sends a browser to a place that is not registered."""

from urllib.parse import quote_from_bytes, urlencode

import pytest
from builders.clients import a_client, a_request, token_form
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from identity.clients.registry.actions import NewClient

PARAMETERS = (
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age", "code_challenge"),
    *("code_challenge_method", "request", "request_uri", "claims", "grant_type", "code", "code_verifier"),
    *("client_secret", "refresh_token", "access_token", "id_token_hint", "post_logout_redirect_uri", "redirect"),
)
PATHS = (
    *("/openid/authorize", "/openid/token", "/openid/userinfo", "/openid/end-session", "/openid/consent"),
    *("/openid/par", "/openid/end-session/confirm", "/api/v1/accounts/app/logout", "/openid/jwks", "/sign-in"),
)
HEADERS = st.one_of(
    st.just(""),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    st.builds("Basic {}".format, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)),
    st.builds("Bearer {}".format, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)),
)


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("clave-unica")


@hypothesis_settings(max_examples=150)
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(["GET", "POST"]),
    pairs=st.lists(st.tuples(st.sampled_from(PARAMETERS), st.binary(max_size=40)), max_size=6),
    header=HEADERS,
    sound=st.booleans(),
)
def test_nothing_breaks(
    client: FlaskClient,
    made: NewClient,
    path: str,
    method: str,
    pairs: list[tuple[str, bytes]],
    header: str,
    sound: bool,
) -> None:
    basis = urlencode({**a_request(made), **token_form(made, "x")}) if sound else ""
    query = "&".join([basis, *(f"{name}={quote_from_bytes(value)}" for name, value in pairs)])
    headers = {"Authorization": header} if header else {}
    if method == "GET":
        response = client.get(f"{path}?{query}", headers=headers)
    else:
        response = client.post(path, data=query, headers=headers, content_type="application/x-www-form-urlencoded")
    assert response.status_code < 500
    place = response.headers.get("Location", "/")
    assert place.startswith(("/", "http://127.0.0.1:9/callback?")), place
    assert not place.startswith("//")


def test_bodies_of_other_kinds_are_refused(client: FlaskClient) -> None:
    for kind, body in (
        ("application/json", b'{"grant_type": "client_credentials"}'),
        ("application/json", b"\xff"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("multipart/form-data", b"x"),
        ("text/plain", b"grant_type=client_credentials"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"\xff\xfe"),
    ):
        response = client.post("/openid/token", data=body, content_type=kind)
        assert response.status_code in (400, 401, 415), kind


def test_a_body_of_a_megabyte_is_read_and_refused(client: FlaskClient, made: NewClient) -> None:
    form = token_form(made, "x" * 1_000_000)
    assert client.post("/openid/token", data=form).status_code == 400
    assert client.post("/openid/token", data=token_form(made, "x" * 3_000_000)).status_code in (400, 413)


def test_other_methods_are_not_allowed(client: FlaskClient) -> None:
    for path in ("/openid/token", "/openid/jwks", "/openid/authorize"):
        assert client.delete(path).status_code == 405
    assert client.get("/openid/token").status_code == 405
