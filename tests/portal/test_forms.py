"""Forms that came back: the title says so first, and every sentence is ours, in the reader's language."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import wtforms
from babel.messages.extract import extract_from_dir
from builders.clients import a_client
from builders.identity import an_agency, an_official, sign_in_for
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import FlaskForm

from kernel.pages import forms
from kernel.pages.forms import COUNTED, WORDS, Form

LANGUAGES = {"es": "es-CL", "en": "en-GB"}
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
MISTAKES = re.compile(r'class="(?:field-error|error-summary)"|id="error-summary"')
LEAVES = ("/sign-out", "/sandbox/sign-out", "/openid")


@pytest.fixture
def official(app: Flask, client: FlaskClient) -> FlaskClient:
    """The browser of somebody with every role."""
    with app.app_context():
        an_agency("AE001", is_authority=True)
        person = an_official("AE001", "administrator", "publisher", "correspondent")
        a_client("standard", owner="agency:AE001")
    sign_in_for(client, person, "AE001")
    return client


def addresses(app: Flask) -> list[str]:
    rules = (rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()))
    return sorted(
        re.sub(r"<[^>]*>", "AE001", rule.rule)
        for rule in rules
        if not rule.rule.startswith(("/api/", "/gateway", *LEAVES))
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_title_of_a_form_with_a_mistake_begins_with_the_mistake(
    app: Flask, official: FlaskClient, language: str
) -> None:
    came_back = 0
    for path, form in product(addresses(app), ({}, {"email": "x", "run": "1", "password": "x", "name": "x" * 300})):
        answer = official.post(path, data=form, headers={"Accept-Language": LANGUAGES[language]})
        if answer.mimetype == "text/html" and MISTAKES.search(answer.text):
            title = TITLE.search(answer.text)
            assert title, path
            assert title[1].strip().startswith("Error: "), (path, title[1])
            came_back += 1
        elif answer.mimetype == "text/html" and answer.status_code < 300:
            assert "<title>Error" not in answer.text, path
    assert came_back > 10


def test_a_form_that_was_not_sent_has_no_mistake_in_its_title(official: FlaskClient) -> None:
    for path in ("/sign-in?again=1", "/account/password", "/agency/keys", "/agency/communications/new"):
        assert "<title>Error" not in official.get(path, follow_redirects=True).text, path


def test_a_code_of_a_device_that_is_wrong_is_told_in_the_title(official: FlaskClient) -> None:
    assert "<title>Error: " in official.post("/device", data={"user_code": "BCDF-GHJK"}).text


def test_everything_that_the_library_of_forms_may_say_is_said_by_us() -> None:
    keywords = {"gettext": None, "ngettext": (1, 2)}
    folder = Path(wtforms.__file__).parent
    said = {
        message if isinstance(message, str) else message[0]
        for _file, _line, message, _comments, _context in extract_from_dir(
            folder, [("**.py", "python")], keywords=keywords
        )
    }
    assert said - set(WORDS) - set(COUNTED) == set()


def test_forms_are_those_with_sentences_of_our_own(app: Flask) -> None:
    foreign = [
        form
        for form in FlaskForm.__subclasses__()
        if form is not Form and not form.__module__.startswith(("flask", "wtforms", "tests.", forms.__name__))
    ]
    assert foreign == []


@pytest.mark.parametrize(("language", "said"), [("es", "Elija una"), ("en", "Choose one")])
def test_a_choice_that_nobody_offers_is_refused_in_the_readers_language(
    official: FlaskClient, language: str, said: str
) -> None:
    headers = {"Accept-Language": LANGUAGES[language]}
    page = official.post("/agency/services/new", data={"kind": "x", "obligation": "x"}, headers=headers)
    assert said in page.text
    assert ("Not a valid choice" in page.text, "Invalid" in page.text) == (False, False)
