"""The language in which a person is written to: of their latest sign-in, until they choose one."""

from __future__ import annotations

import pytest
from builders.clients import a_client, authorize, following
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.people.models import Person
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

ENGLISH, SPANISH = {"Accept-Language": "en-GB"}, {"Accept-Language": "es-CL"}


@pytest.fixture
def citizen(app: Flask) -> Person:
    with app.app_context():
        return a_person()


def language_of(app: Flask, person: Person) -> str:
    with app.app_context():
        return str(session().scalar(select(Person.language).where(Person.id == person.id)))


def choices_recorded(app: Flask) -> int:
    with app.app_context():
        tag = "identity:person:language-chosen"
        return len(session().scalars(select(AuditEvent).where(AuditEvent.tag == tag)).all())


def sign_in_speaking(app: Flask, person: Person, headers: dict[str, str]) -> FlaskClient:
    browser = app.test_client()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = headers["Accept-Language"]
    assert sign_in(browser, person).status_code == 303
    return browser


def test_it_is_that_of_the_latest_sign_in(app: Flask, citizen: Person) -> None:
    assert language_of(app, citizen) == "es"
    sign_in_speaking(app, citizen, ENGLISH)
    assert language_of(app, citizen) == "en"
    sign_in_speaking(app, citizen, SPANISH)
    assert language_of(app, citizen) == "es"
    assert choices_recorded(app) == 0


def test_an_application_may_have_asked_for_it(app: Flask) -> None:
    with app.app_context():
        person, made = a_person(is_test_person=True), a_client("standard")
    browser = app.test_client()
    sign_in(browser, person, following=following(authorize(browser, made, ui_locales="en")))
    assert language_of(app, person) == "en"


def test_the_direct_door_notes_it_too(app: Flask) -> None:
    with app.app_context():
        person, made = a_person(is_test_person=True), a_client("standard")
    stranger = app.test_client(use_cookies=False)
    from_us = {"Sec-Fetch-Site": "same-origin", **ENGLISH}
    back = following(authorize(app.test_client(), made))
    form = {"run": str(person.run), "password": "una clave de prueba", "next": back}
    assert stranger.post("/sign-in", data=form, headers=from_us).status_code == 303
    assert language_of(app, person) == "en"


def test_the_switch_of_the_pages_is_a_choice_that_stays(app: Flask, citizen: Person) -> None:
    browser = sign_in_speaking(app, citizen, SPANISH)
    browser.get("/language/en?next=/account")
    browser.get("/language/en?next=/account")
    assert language_of(app, citizen) == "en"
    assert choices_recorded(app) == 1
    sign_in_speaking(app, citizen, SPANISH)
    assert language_of(app, citizen) == "en"


def test_no_other_site_chooses_it(app: Flask, citizen: Person) -> None:
    browser = sign_in_speaking(app, citizen, SPANISH)
    browser.get("/language/en", headers={"Sec-Fetch-Site": "cross-site"})
    assert language_of(app, citizen) == "es"


def test_the_switch_of_somebody_who_is_not_signed_in_concerns_the_pages_only(app: Flask, citizen: Person) -> None:
    browser = app.test_client()
    assert browser.get("/language/en").status_code == 303
    assert language_of(app, citizen) == "es"


def test_it_is_changed_on_the_account_page(app: Flask, citizen: Person) -> None:
    browser = sign_in_speaking(app, citizen, SPANISH)
    page = browser.get("/account")
    assert 'name="language" type="radio" value="es"' in page.text.replace(" checked", "")
    changed = browser.post("/account/language", data={"language": "en"}, follow_redirects=True)
    assert "From now on we write to you" in changed.text
    assert language_of(app, citizen) == "en"


@pytest.mark.parametrize("language", ["", "fr", "es ", "\x00"])
def test_a_language_that_nobody_offers_is_refused(app: Flask, citizen: Person, language: str) -> None:
    browser = sign_in_speaking(app, citizen, SPANISH)
    assert browser.post("/account/language", data={"language": language}).status_code == 422
    assert language_of(app, citizen) == "es"
