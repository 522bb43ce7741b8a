"""Requests that another site has a browser send are refused; a browser that says nothing needs the form's token."""

import re

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel.database.db import session
from kernel.http.csrf import FIELD, open_to_other_sites, renew_form_key
from kernel.jobs.access import public
from kernel.recording.audit import AuditEvent

ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "http://localhost.elsewhere.example"},
    {"Origin": "http://elsewhere.localhost"},
    {"Origin": ""},
]
HERE = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": "http://localhost"},
]
SAYS_NOTHING: list[dict[str, str]] = [{}, {"Origin": "null"}]


@pytest.fixture
def old_browser(app: Flask) -> FlaskClient:
    """A browser that does not say where its requests come from, at an application with a form."""

    @app.route("/a-form", methods=["GET", "POST", "DELETE"])
    @public("a test")
    def form() -> str:
        return render_template_string("""<input name="csrf_token" value="{{ csrf_token() }}">""")

    @app.post("/from-anywhere")
    @public("a test")
    @open_to_other_sites
    def anywhere() -> str:
        return "welcome"

    @app.post("/a-sign-in")
    @public("a test")
    def enter() -> str:
        renew_form_key()
        return "in"

    return FlaskClient(app, app.response_class)


def token(browser: FlaskClient) -> str:
    found = re.search('value="([^"]+)"', browser.get("/a-form").text)
    assert found
    return found[1]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_site_is_refused_whatever_it_brings(old_browser: FlaskClient, headers: dict[str, str]) -> None:
    form = {FIELD: token(old_browser)}
    for method in ("POST", "DELETE"):
        assert old_browser.open("/a-form", method=method, data=form, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", HERE)
def test_our_own_pages_need_no_token(old_browser: FlaskClient, headers: dict[str, str]) -> None:
    assert old_browser.post("/a-form", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", SAYS_NOTHING)
def test_who_says_nothing_needs_the_token_of_the_form(old_browser: FlaskClient, headers: dict[str, str]) -> None:
    mine, other = token(old_browser), token(FlaskClient(old_browser.application, old_browser.response_wrapper))
    for wrong in ("", "ñ", mine[:-1], mine.upper(), other):
        answer = old_browser.post("/a-form", data={FIELD: wrong}, headers={**headers, "Accept": "application/json"})
        assert answer.status_code == 400
        assert answer.get_json()["type"].endswith("/stale-form")
    assert old_browser.post(f"/a-form?{FIELD}={mine}", headers=headers).status_code == 400
    assert old_browser.post("/a-form", data={FIELD: mine}, headers=headers).status_code == 200


def test_a_token_without_its_cookie_is_nobodys(app: Flask, old_browser: FlaskClient) -> None:
    mine = token(old_browser)
    old_browser.delete_cookie("form")
    assert old_browser.post("/a-form", data={FIELD: mine}).status_code == 400
    for guess in ("", "ñ", mine):
        old_browser.set_cookie("form", guess)
        assert old_browser.post("/a-form", data={FIELD: mine}).status_code == 400


def test_one_token_serves_all_windows_until_the_next_sign_in(old_browser: FlaskClient) -> None:
    mine = token(old_browser)
    assert token(old_browser) == mine
    assert old_browser.post("/a-sign-in", data={FIELD: mine}).status_code == 200
    assert old_browser.post("/a-form", data={FIELD: mine}).status_code == 400
    assert old_browser.post("/a-form", data={FIELD: token(old_browser)}).status_code == 200


def test_views_that_are_open_to_other_sites_and_addresses_of_nothing_need_none(old_browser: FlaskClient) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert old_browser.post("/from-anywhere", headers=elsewhere).text == "welcome"
    assert old_browser.post("/nothing-here", headers=elsewhere).status_code == 404


def test_looking_is_free_from_everywhere(old_browser: FlaskClient) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert old_browser.open("/a-form", method=method, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_cookie_is_for_forms_of_this_site_alone(old_browser: FlaskClient) -> None:
    given = old_browser.get("/a-form").headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(given.split("; "))
    assert "Set-Cookie" not in old_browser.get("/a-form").headers


def test_a_refusal_is_told_kindly_and_recorded(app: Flask, old_browser: FlaskClient) -> None:
    page = old_browser.post("/a-form", headers={"Origin": "https://elsewhere.example"})
    assert "Esto lo envió otro sitio" in page.text
    with app.app_context():
        event = session().scalars(select(AuditEvent)).one()
    assert (event.tag, event.subject) == ("access:refused", "path:/a-form")
