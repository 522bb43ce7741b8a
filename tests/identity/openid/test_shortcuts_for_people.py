"""The page that asks a stranger to sign in comes by the shorter way as by the whole way, or not by it at all."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from builders.clients import CALLBACK, a_client, asks_to_sign_in, following
from builders.shortcuts import AUTHORIZE, path_of, taken, the_whole_way, told
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient, revoke_client
from kernel.http.csrf import FIELD
from kernel.http.doors import FORM
from kernel.jobs.access import Principal, act_as

SHORT = ["openid.authorize"]
Way = Callable[..., TestResponse]


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser that keeps no cookie and says where its requests come from, and calls them all the same."""
    browser = app.test_client(use_cookies=False)
    browser.environ_base["HTTP_X_REQUEST_ID"] = "the-same-name"
    return browser


@pytest.fixture
def old_browser(app: Flask) -> FlaskClient:
    """One that keeps cookies, and does not say where its requests come from."""
    return FlaskClient(app, app.response_class)


def rendered_once(browser: FlaskClient, made: NewClient) -> None:
    """The page is kept from now on, in both languages."""
    for language in ("es", "en"):
        the_whole_way(browser, path_of(made), headers={"Accept-Language": language})


UNUSUAL_PARAMETERS: list[dict[str, str]] = [
    {"prompt": "login"},
    {"prompt": "none"},
    {"prompt": "consent"},
    {"prompt": ""},
    {"max_age": "0"},
    {"max_age": "-1"},
    {"claims": '{"id_token": {"email": null}}'},
    {"claims": "{"},
    {"request": "a.b.c"},
    {"request_uri": "urn:ietf:params:oauth:request_uri:unknown"},
    {"ui_locales": "en"},
    {"login_hint": "44.444.444-4"},
    {"id_token_hint": "a.b.c"},
    {"response_mode": "form_post"},
    {"response_mode": "fragment"},
    {"acr_values": "urn:cordillera:acr:2"},
    {"resource": "https://elsewhere.cl/"},
    {"authorization_details": "[]"},
    {"dpop_jkt": "x" * 43},
    {"detour": "sign-in.1.1." + "0" * 64},
    {"detour": ""},
    {"anything": "else"},
]
WRONG_PARAMETERS: list[dict[str, str | None]] = [
    {"client_id": "unknown"},
    {"client_id": "\x00"},
    {"client_id": ""},
    {"client_id": None},
    {"redirect_uri": "https://elsewhere.cl/"},
    {"redirect_uri": f"{CALLBACK}#fragment"},
    {"redirect_uri": ""},
    {"redirect_uri": None},
    {"response_type": "token"},
    {"response_type": None},
    {"scope": "name"},
    {"scope": None},
    {"state": "\x00" * 40},
    {"state": "ñ" * 40},
    {"state": "x" * 9_000},
    {"nonce": "\x00"},
    {"code_challenge": "too-short"},
    {"code_challenge": None},
    {"code_challenge_method": "plain"},
]
MORE = [
    "&state=another-one-of-more-than-thirty-characters",
    "&client_id=unknown",
    "&client_id",
    "&%ff=a",
    "&state=%ff",
    "&a=%C3%28",
    "&a=%00",
    "&a=ñ".encode().decode("latin-1"),
    "".join(f"&a{number}=b" for number in range(40)),
    "&=",
]
HEADERS = [
    {"Cookie": "language=en"},
    {"Cookie": "cordillera_session=nobodys"},
    {"Cookie": "theirs=1"},
    {"Cookie": ""},
    {"Transfer-Encoding": "chunked"},
]


def assert_goes_the_whole_way(browser: FlaskClient, path: str, **request: Any) -> None:
    with taken() as ways:
        short = browser.open(path, **request)
    assert (path, request, ways) == (path, request, [])
    assert told(short) == told(the_whole_way(browser, path, **request))


class TestTheWholeWay:
    """What is unusual or wrong."""

    @pytest.fixture(autouse=True)
    def kept(self, stranger: FlaskClient, made: NewClient) -> None:
        rendered_once(stranger, made)

    def test_what_is_wrong_is_told_by_it(self, stranger: FlaskClient, made: NewClient) -> None:
        for changed in WRONG_PARAMETERS:
            assert_goes_the_whole_way(stranger, path_of(made, **changed))

    def test_what_is_optional_is_looked_at_there(self, stranger: FlaskClient, made: NewClient) -> None:
        for changed in UNUSUAL_PARAMETERS:
            assert_goes_the_whole_way(stranger, path_of(made, **changed))

    def test_what_came_twice_or_cannot_be_read_is_left_to_it(self, stranger: FlaskClient, made: NewClient) -> None:
        for more in MORE:
            query = {"QUERY_STRING": (path_of(made) + more).partition("?")[2]}
            assert_goes_the_whole_way(stranger, AUTHORIZE, environ_overrides=query)

    def test_a_value_that_cannot_be_read_is_left_to_it(self, stranger: FlaskClient, made: NewClient) -> None:
        for name in ("nonce", "state", "client_id"):
            query = {"QUERY_STRING": f"{path_of(made, **{name: None})}&{name}=%ff".partition("?")[2]}
            assert_goes_the_whole_way(stranger, AUTHORIZE, environ_overrides=query)

    def test_who_brings_a_cookie_is_no_stranger(self, stranger: FlaskClient, made: NewClient) -> None:
        for headers in HEADERS:
            assert_goes_the_whole_way(stranger, path_of(made), headers=headers)

    def test_a_body_is_none_of_a_plain_request(self, stranger: FlaskClient, made: NewClient) -> None:
        for body in ({"data": b"{}", "content_type": "application/json"}, {"data": b"a=b&a=b", "content_type": FORM}):
            assert_goes_the_whole_way(stranger, path_of(made), **body)

    def test_other_methods_and_other_spellings_of_the_path_have_no_shorter_one(
        self, stranger: FlaskClient, made: NewClient
    ) -> None:
        for method in ("HEAD", "POST", "OPTIONS", "PUT"):
            assert_goes_the_whole_way(stranger, path_of(made), method=method)
        for path in (f"{AUTHORIZE}/", f"/{AUTHORIZE}", "/openid/AUTHORIZE"):
            assert_goes_the_whole_way(stranger, path_of(made).replace(AUTHORIZE, path))
        assert_goes_the_whole_way(stranger, AUTHORIZE)

    def test_who_does_not_say_where_from_gets_a_token(
        self, app: Flask, old_browser: FlaskClient, made: NewClient
    ) -> None:
        with taken() as ways:
            page = old_browser.get(path_of(made))
        assert (ways, asks_to_sign_in(page), len(token_in(page.text))) == ([], True, 64)

    def test_a_client_that_was_revoked_is_known_no_more(
        self, app: Flask, stranger: FlaskClient, made: NewClient
    ) -> None:
        with app.app_context():
            act_as(Principal("system", "test", "test"))
            revoke_client(made.client.client_id)
        assert_goes_the_whole_way(stranger, path_of(made))


LANGUAGES = [
    None,
    "",
    "es",
    "en",
    "en-GB,en;q=0.9,es;q=0.8",
    "es;q=0.1, en;q=0.2",
    "de, fr;q=0.9",
    "*",
    ";q=,,en;q=x;;",
    "en" * 2_000,
    "\xf1",
    "<script>",
]


@pytest.mark.parametrize("profile", ["standard", "clave-unica"])
def test_the_page_is_that_of_the_whole_way(app: Flask, stranger: FlaskClient, profile: str) -> None:
    with app.app_context():
        made = a_client(profile, "Trámites «A & B» <b>")
    rendered_once(stranger, made)
    for language in LANGUAGES:
        headers = {"Accept-Language": language} if language is not None else {}
        with taken() as ways:
            short = stranger.get(path_of(made), headers=headers)
            assert ways == SHORT
            whole = the_whole_way(stranger, path_of(made), headers=headers)
        assert told(short) == told(whole)
        assert (short.status_code, asks_to_sign_in(short), short.text.count("A &amp; B")) == (200, True, 1)
        assert len(short.data) == int(short.headers["Content-Length"])


SPELLINGS = [
    "&state={}%20%2b+%2B~%7e%7E",
    "&state={}!$'()*,/:;?@",
    '&state={}"<b>\\^`{{|}}',
    "&state={}%22%3Cb%3E%26amp%3B&&",
    "&state={}=%3d=&",
    "&state={}[]%5B%5D",
    "&nonce=&state={}",
    "&state={}&code_challenge_method=S256&code_challenge=" + "x" * 43,
]


def test_the_request_is_kept_as_it_was_written(stranger: FlaskClient, legacy: NewClient) -> None:
    rendered_once(stranger, legacy)
    for spelling in SPELLINGS:
        query = {"QUERY_STRING": (path_of(legacy, state=None) + spelling.format("x" * 40)).partition("?")[2]}
        with taken() as ways:
            short = stranger.get(AUTHORIZE, environ_overrides=query)
            whole = the_whole_way(stranger, AUTHORIZE, environ_overrides=query)
        assert (spelling, ways) == (spelling, SHORT)
        assert told(short) == told(whole)


def test_the_page_leads_back_to_the_request_and_each_one_has_its_own_nonce(
    stranger: FlaskClient, made: NewClient
) -> None:
    rendered_once(stranger, made)
    with taken() as ways:
        pages = [stranger.get(path_of(made)) for _ in range(2)]
        assert the_whole_way(stranger, following(pages[0])).status_code == 200
    assert ways == SHORT * 2
    assert following(pages[0]).startswith(f"{path_of(made)}&detour=sign-in.")
    nonces = [set(re.findall(r"nonce[-=]\"?([A-Za-z0-9_-]{22})", page.text)) for page in pages]
    policies = [page.headers["Content-Security-Policy"] for page in pages]
    assert [len(found) for found in nonces] == [1, 1]
    assert nonces[0] != nonces[1]
    assert all(policy.count(f"'nonce-{nonce}'") == 2 for policy, (nonce,) in zip(policies, nonces, strict=True))


def test_a_page_goes_the_whole_way_once_for_each_language(stranger: FlaskClient, made: NewClient) -> None:
    for language in ("es", "en"):
        with taken() as ways:
            first, then = (stranger.get(path_of(made), headers={"Accept-Language": language}) for _ in range(2))
        assert ways == SHORT
        assert told(first) == told(then)


def token_in(page: str) -> str:
    found = re.search(rf'name="{FIELD}" value="([^"]*)"', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("first", ["stranger", "old_browser"])
def test_whoever_a_page_was_rendered_for_first_an_old_browser_gets_its_own_token(
    app: Flask, stranger: FlaskClient, old_browser: FlaskClient, made: NewClient, first: str
) -> None:
    browsers = {"stranger": stranger, "old_browser": old_browser}
    browsers[first].get(path_of(made))
    with taken() as ways:
        of_a_stranger = stranger.get(path_of(made))
    assert (ways, token_in(of_a_stranger.text)) == (SHORT, "")
    token = token_in(old_browser.get(path_of(made)).text)
    another = token_in(FlaskClient(app, app.response_class).get(path_of(made)).text)
    assert len(token) == len(another) == 64
    assert token != another
    form = {"run": "", "password": ""}
    assert old_browser.post("/sign-in", data={**form, FIELD: another}).status_code == 400
    assert old_browser.post("/sign-in", data={**form, FIELD: token}).status_code == 422
