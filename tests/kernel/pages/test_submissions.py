"""A form has one effect, however often it is sent."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from builders.together import at_once
from flask import Flask, redirect, render_template_string, request
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.jobs.access import AUTHENTICATORS, Principal, public
from kernel.pages.submissions import FormSubmission, once, submit_once, sweep_submissions
from kernel.recording.audit import AuditEvent
from kernel.recording.work import Work, action

PAGE = """{% extends "layout.html" %}{% import "macros.html" as ui %}
{% block content %}{{ ui.post_button("Make", "/things") }}{{ ui.post_button("Make", "/things") }}{% endblock %}"""
MAKING = re.compile(r'action="/things">\s*<input [^>]+>\s*<input type="hidden" name="form_id" value="([^"]+)"')
PERSON = "X-Person"


@action
def make_thing(work: Work, name: str) -> str:
    """Leaves a record, which is all that a test wants to count."""
    if name == "wrong":
        raise Invalid(fields={"name": ["wrong"]})
    work.record("access:refused", f"thing:{name}")
    return name


@pytest.fixture
def maker(app: Flask) -> Flask:
    """An application with a form that makes a thing, for whom the header names."""

    def from_header() -> Principal | None:
        name = request.headers.get(PERSON)
        return Principal(kind="person", id=name, name=name) if name else None

    AUTHENTICATORS.of(app).insert(0, from_header)

    @app.get("/things")
    @public("a test")
    def form() -> str:
        return render_template_string(PAGE)

    @app.post("/things")
    @public("a test")
    @once()
    def make() -> Response | tuple[str, int]:
        name = request.form.get("name", "x")
        try:
            made = submit_once(lambda: make_thing(name), lambda made: f"/things/{made}")
        except Invalid:
            return "wrong", 422
        return redirect(f"/things/{made}", 303)

    return app


def send(browser: FlaskClient, form_id: str | None, name: str = "x", person: str = "ana") -> TestResponse:
    data = {"name": name} | ({"form_id": form_id} if form_id is not None else {})
    return browser.post("/things", data=data, headers={PERSON: person})


def things(app: Flask) -> int:
    with app.app_context():
        return session().scalar(select(func.count()).select_from(AuditEvent)) or 0


def test_every_form_of_a_page_has_an_identifier_of_its_own(maker: Flask) -> None:
    browser = maker.test_client()
    pages = [browser.get("/things", headers={PERSON: "ana"}).text for _ in range(2)]
    found = [one for page in pages for one in MAKING.findall(page)]
    assert len(set(found)) == 4
    assert "form_id" not in browser.get("/things").text, "strangers make nothing, and their pages are kept"


def test_a_form_sent_twice_leads_to_what_it_made(maker: Flask) -> None:
    browser, mine = maker.test_client(), str(uuid4())
    first, second = send(browser, mine, "one"), send(browser, mine, "two")
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location == "/things/one"
    assert things(maker) == 1
    assert "no se hizo nada por segunda vez" in browser.get("/things", headers={PERSON: "ana"}).text


def test_what_was_refused_may_be_sent_again(maker: Flask) -> None:
    browser, mine = maker.test_client(), str(uuid4())
    assert send(browser, mine, "wrong").status_code == 422
    assert send(browser, mine, "right").location == "/things/right"
    assert send(browser, mine, "wrong").location == "/things/right"


def test_two_sendings_at_the_same_instant_make_one(maker: Flask) -> None:
    mine = str(uuid4())
    calls = [lambda browser, name=str(number): send(browser, mine, name) for number in range(8)]
    answers = at_once(maker, calls)
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert things(maker) == 1


def test_another_persons_form_is_another(maker: Flask) -> None:
    browser, mine = maker.test_client(), str(uuid4())
    assert send(browser, mine, "one").location == "/things/one"
    assert send(browser, mine, "two", person="eva").location == "/things/two"


@pytest.mark.parametrize("odd", [None, "", "x", "\x00", "1" * 5000])
def test_who_sends_no_identifier_has_no_protection(maker: Flask, odd: str | None) -> None:
    browser = maker.test_client()
    assert [send(browser, odd, name).location for name in ("one", "two")] == ["/things/one", "/things/two"]


def test_a_form_is_forgotten_after_a_day(maker: Flask) -> None:
    mine = str(uuid4())
    send(maker.test_client(), mine, "one")
    for later, remembered in ((timedelta(hours=23), 1), (timedelta(hours=25), 0)):
        with maker.app_context(), clock.shifted(later):
            sweep_submissions()
            assert session().scalar(select(func.count()).select_from(FormSubmission)) == remembered


def test_a_change_without_an_action_is_a_mistake_of_ours(maker: Flask) -> None:
    form = {"form_id": str(uuid4())}
    with maker.test_request_context("/things", method="POST", data=form), pytest.raises(RuntimeError):
        submit_once(lambda: 1, str)
