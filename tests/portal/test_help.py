"""People who are stuck: whom they may ask, and what pages of problems tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import pytest
from builders.apps import under_test
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale

from identity.openid.rules import OAuthProblem
from kernel.base import errors
from kernel.base.settings import Settings, SettingsError
from kernel.base.settings import load as load_settings
from portal.app import create_app

PROTOCOL = re.compile(
    r"token|redirect_uri|client_id|\bscope|parameter|parámetro|header|\bHTTP|JSON|Content-Type|\bAPI\b|método|prompt"
    r"|_supported|\bgrant|JWS|RFC",
    re.IGNORECASE,
)
IN_THE_BROWSER = (
    errors.BadRequest,
    errors.StaleForm,
    errors.SentByAnotherSite,
    errors.SignInRequired,
    errors.Forbidden,
    errors.NotFound,
    errors.NotYours,
    errors.MethodNotAllowed,
    errors.NotAcceptable,
    errors.Conflict,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.TooMany,
    errors.Unavailable,
    errors.OutOfSpace,
    errors.Internal,
)


def with_help(settings: Settings, *, help_email: str = "", help_phone: str = "") -> FlaskClient:
    set_here = replace(settings, help_email=help_email, help_phone=help_phone)
    return under_test(create_app(set_here)).test_client()


def oauth_problems(kind: type[OAuthProblem] = OAuthProblem) -> Iterator[type[OAuthProblem]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from oauth_problems(narrower)


def test_the_help_page_names_the_contact_that_the_operator_set(settings: Settings) -> None:
    page = with_help(settings, help_email="ayuda@id.example", help_phone="600 123 4567").get("/help").text
    assert 'href="mailto:ayuda@id.example"' in page
    assert "600 123 4567" in page
    for place in ("password", "account", "second-step", "problem", "contact"):
        assert f'id="{place}"' in page


def test_without_a_contact_the_help_page_still_says_whom_to_ask(client: FlaskClient) -> None:
    assert "Pregunte al organismo del trámite" in client.get("/help").text


def test_whoever_is_stuck_at_the_sign_in_page_finds_help_there(settings: Settings) -> None:
    page = with_help(settings, help_phone="600 123 4567").get("/sign-in").text
    links = {unescape(label): href for href, label in re.findall(r'<a href="(/help[^"]*)">([^<]+)</a>', page)}
    assert links["Olvidé mi contraseña"] == "/help#password"
    assert links["No tengo cuenta"] == "/help#account"
    assert "600 123 4567" in page.split('id="stuck"')[1]


def test_the_foot_of_a_page_leads_people_to_help_and_not_to_the_list_of_problems(client: FlaskClient) -> None:
    foot = client.get("/about").text.split("<footer")[1]
    assert 'href="/help"' in foot
    assert "/problems/" not in foot
    assert "/problems/" in client.get("/developers/").text


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", [*IN_THE_BROWSER, *oauth_problems()], ids=lambda kind: kind.__name__)
def test_a_problem_on_a_page_is_told_without_words_of_the_protocol(
    app: Flask, kind: type[errors.Problem], language: str
) -> None:
    with app.test_request_context(), force_locale(language):
        words = kind.page_words()
        for text in (words.title, words.explanation, words.remedy):
            assert not PROTOCOL.search(str(text)), str(text)


def test_an_address_that_is_not_the_applications_is_told_in_plain_words(client: FlaskClient) -> None:
    answer = client.get("/openid/authorize?client_id=nobody&redirect_uri=https://a.example/&response_type=code")
    assert answer.status_code == 400
    told, details = answer.text.split("<main")[1].split("<details")
    assert "No conocemos la aplicación" in told
    assert "client_id" not in told
    assert "client_id" in details, "who runs the application finds the cause"


def test_the_page_of_a_problem_has_help_and_no_number_in_its_title(client: FlaskClient) -> None:
    page = client.get("/nothing-here").text
    heading = page.split("<main")[1].split("</header>")[0]
    assert "404" not in heading
    assert 'href="/help#problem"' in page
    assert "Número de solicitud" in page


def test_whoever_has_to_wait_is_not_told_to_correct_anything(app: Flask, client: FlaskClient) -> None:
    for _ in range(7):
        answer = client.post("/sign-in", data={"run": "44.444.444-4", "password": "wrong"})
    assert answer.status_code == 429
    assert "Espere un momento" in answer.text
    assert "que corregir" not in answer.text


def test_an_address_of_help_that_is_none_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("CORDILLERA_HELP_EMAIL", "call us")
    with pytest.raises(SettingsError, match="CORDILLERA_HELP_EMAIL"):
        load_settings()


def test_the_front_page_says_first_what_a_person_can_do(client: FlaskClient) -> None:
    page = client.get("/").text
    people, agencies = page.split('id="people"')[1].split('id="agencies"')
    for place in ("/account", "/account/applications", "/account/second-step", "/device", "/help"):
        assert f'href="{place}"' in people
    assert "certificado" in people, "where to go for one"
    assert "certificado" not in agencies, "the catalogue has services between agencies"
    assert 'action="/catalogue"' in agencies
