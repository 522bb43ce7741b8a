"""The language that an application asks for stays to the end of the sign-in (OIDC Core 3.1.2.1)."""

from __future__ import annotations

from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from builders.clients import STATE, a_client, a_request, authorize, decide, following
from builders.identity import sign_in
from builders.requests import a_key, a_request_object, a_request_uri, a_signing_client, show
from builders.second_factor import SECRET, TWO, a_test_person_with_code, code_of
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person

ENGLISH = "fr en-GB es"
SPANISH_BROWSER = {"Accept-Language": "es-CL,es;q=0.9"}


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    browser = app.test_client()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es-CL,es;q=0.9"
    return browser


@pytest.fixture
def with_code(app: Flask) -> Person:
    with app.app_context():
        return a_test_person_with_code()


def language_of(page: TestResponse) -> str:
    return page.text.partition('<html lang="')[2][:2]


def asked(way: str, app: Flask, browser: FlaskClient) -> TestResponse:
    """The sign-in page that a request leads to, whichever way the request comes."""
    wish: dict[str, Any] = {"ui_locales": ENGLISH, "acr_values": TWO}
    with app.app_context():
        key = a_key()
        made = a_signing_client(key) if way == "signed" else a_client("standard")
    if way == "pushed":
        return show(browser, made, request_uri=a_request_uri(app.test_client(), made, **wish))
    if way == "signed":
        return show(browser, made, request=a_request_object(made, key, **wish))
    if way == "form":
        return browser.post("/openid/authorize", data=a_request(made, **wish), follow_redirects=True)
    return authorize(browser, made, **wish)


@pytest.mark.parametrize("way", ["query", "form", "pushed", "signed"])
def test_every_page_of_a_sign_in_is_in_the_language_asked_for(
    app: Flask, browser: FlaskClient, with_code: Person, way: str
) -> None:
    first = asked(way, app, browser)
    back = following(first)
    pages = [first, sign_in(browser, with_code, "wrong", back), sign_in(browser, with_code, "", back)]
    pages.append(browser.get(sign_in(browser, with_code, following=back).location, follow_redirects=True))
    code_page = pages[-1]
    assert 'name="code"' in code_page.text
    pages.append(browser.post("/sign-in/code", data={"code": "000000", "next": back}))
    pages.append(browser.post("/sign-in/code", data={"code": code_of(SECRET), "next": back}, follow_redirects=True))
    assert "decision" in pages[-1].text
    pages.append(browser.get("/nothing-is-here"))
    assert [language_of(page) for page in pages] == ["en"] * len(pages)
    assert decide(browser, pages[5], "allow").status_code == 303


def test_a_browser_without_cookies_keeps_the_language_of_the_page_it_comes_from(
    app: Flask, browser: FlaskClient, person: Person, made: NewClient
) -> None:
    back = following(authorize(browser, made, ui_locales="en"))
    stranger = app.test_client(use_cookies=False)
    headers = {**SPANISH_BROWSER, "Sec-Fetch-Site": "same-origin"}
    wrong = stranger.post("/sign-in", data={"run": str(person.run), "password": "x", "next": back}, headers=headers)
    assert (wrong.status_code, language_of(wrong)) == (422, "en")


def test_what_is_wrong_with_the_request_is_told_in_its_language(browser: FlaskClient, made: NewClient) -> None:
    page = authorize(browser, made, ui_locales="en", redirect_uri="https://elsewhere.example/")
    assert (page.status_code, language_of(page)) == (400, "en")


def test_the_next_application_has_a_wish_of_its_own(browser: FlaskClient, made: NewClient) -> None:
    assert language_of(authorize(browser, made, ui_locales="en")) == "en"
    assert language_of(browser.get("/sign-in")) == "en"
    assert language_of(authorize(browser, made)) == "es"
    assert language_of(browser.get("/sign-in")) == "es"


def test_the_switch_of_the_reader_wins(browser: FlaskClient, made: NewClient) -> None:
    page = authorize(browser, made, ui_locales="en")
    browser.get("/language/es")
    assert language_of(sign_in(browser, "1-9", "wrong", following(page))) == "es"


def test_leaving_is_in_the_language_asked_for(browser: FlaskClient, person: Person, made: NewClient) -> None:
    sign_in(browser, person)
    wish = {"client_id": made.client.client_id, "state": STATE, "ui_locales": "en"}
    asks = browser.get("/openid/end-session?" + urlencode(wish))
    left = browser.post("/openid/end-session/confirm", data=wish, follow_redirects=True)
    assert "session" in unescape(asks.text)
    assert (language_of(asks), language_of(left)) == ("en", "en")
