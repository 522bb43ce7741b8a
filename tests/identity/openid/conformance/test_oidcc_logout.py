"""oidcc-rp-initiated-logout-certification-test-plan, and what its back-channel sister adds to it.

The back channel's own module, oidcc-backchannel-rp-initiated-logout, is held by test_openid_backchannel.py.
"""

import base64
import json

import pytest
from builders.clients import LEFT, STATE, answer_of, authorize, tokens_for
from builders.conformance import an_error_page, discovered
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient


@pytest.fixture
def id_token(app: Flask, client: FlaskClient, made: NewClient) -> str:
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    return str(tokens_for(client, made)["id_token"])


def leave(browser: FlaskClient, **query: str) -> TestResponse:
    return browser.get("/openid/end-session", query_string=query)


def is_in(browser: FlaskClient, made: NewClient) -> bool:
    """The suite asks with prompt=none: who has left is told login_required."""
    return "code" in answer_of(authorize(browser, made, prompt="none"))


def asks(page: TestResponse) -> bool:
    """ExpectPostLogout…Page: a page of ours, and nobody was sent anywhere."""
    return page.status_code == 200 and "Location" not in page.headers


def test_discovery_tells_where_to_leave(client: FlaskClient) -> None:
    """oidcc-rp-initiated-logout-discovery-endpoint-verification,
    oidcc-backchannel-logout-discovery-endpoint-verification
    """
    told = discovered(client)
    assert told["end_session_endpoint"].startswith(told["issuer"])
    assert told["backchannel_logout_supported"] is True
    assert told["backchannel_logout_session_supported"] is True


def test_who_leaves_comes_back_with_the_state_and_is_out(client: FlaskClient, made: NewClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout"""
    answer = leave(client, id_token_hint=id_token, post_logout_redirect_uri=LEFT, state=STATE)
    assert (answer.status_code, answer.location) == (303, f"{LEFT}?state={STATE}")
    assert not is_in(client, made)
    assert answer_of(authorize(client, made, prompt="none"))["error"] == "login_required"


def test_without_a_state_none_comes_back(client: FlaskClient, made: NewClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout-no-state"""
    assert leave(client, id_token_hint=id_token, post_logout_redirect_uri=LEFT).location == LEFT
    assert not is_in(client, made)


def test_an_address_that_is_not_registered_is_not_gone_to(client: FlaskClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout-bad-post-logout-redirect-uri, -query-added-to-post-logout-redirect-uri"""
    for wrong in (f"{LEFT}/foobar", f"{LEFT}?foo=bar"):
        an_error_page(leave(client, id_token_hint=id_token, post_logout_redirect_uri=wrong, state=STATE))


def test_a_hint_that_nobody_signed_leads_nowhere(client: FlaskClient, made: NewClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout-modified-id-token-hint, -bad-id-token-hint"""
    head, body, signature = id_token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    for wrong in (f"{none}.{body}.", f"{head}.{body}.{signature[:-8]}AAAAAAAA", "bad"):
        answer = leave(client, id_token_hint=wrong, post_logout_redirect_uri=LEFT, state=STATE)
        assert "Location" not in answer.headers
        assert answer.status_code in (200, 400)
    assert is_in(client, made)


def test_without_a_hint_nobody_is_sent_anywhere(client: FlaskClient, made: NewClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout-no-id-token-hint, -no-params, -only-state"""
    an_error_page(leave(client, post_logout_redirect_uri=LEFT, state=STATE))
    assert asks(leave(client))
    assert asks(leave(client, state=STATE))
    assert is_in(client, made)


def test_without_an_address_one_is_out_and_stays_here(client: FlaskClient, made: NewClient, id_token: str) -> None:
    """oidcc-rp-initiated-logout-no-post-logout-redirect-uri"""
    answer = leave(client, id_token_hint=id_token, state=STATE)
    assert answer.location == "/"
    assert client.get("/").status_code == 200
    assert not is_in(client, made)
