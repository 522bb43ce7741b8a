"""Each form that asks for a password says whose it is, so that a password manager files it under the right name."""

import re
from pathlib import Path

import pytest
from builders.identity import PASSWORD, a_person, sign_in
from builders.second_factor import Enrolled, enrol
from flask import Flask
from flask.testing import FlaskClient

RUN = "10.000.013-K"
ROOT = Path(__file__).resolve().parents[3]
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
INPUT = re.compile(r"<input\b[^>]*>")
PLACES = {
    "identity/account/templates/account/password.html",
    "identity/authentication/one_time_codes/templates/one_time_codes/home.html",
    "identity/authentication/one_time_codes/templates/one_time_codes/remove.html",
    "identity/authentication/one_time_codes/templates/one_time_codes/renew.html",
    "identity/authentication/signin/templates/signin/sign_in.html",
}


def password_form(page: str) -> list[str]:
    """The inputs of the page's form that asks for a password, in their order."""
    (form,) = [each for each in FORM.findall(page) if 'type="password"' in each]
    return [each for each in INPUT.findall(form) if 'type="hidden"' not in each]


def assert_names_its_person(page: str, passwords: list[str]) -> None:
    inputs = password_form(page)
    first, asked = inputs[0], [each for each in inputs if 'type="password"' in each]
    assert 'autocomplete="username"' in first
    assert f'value="{RUN}"' in first
    assert 'type="text"' in first
    for each, name in zip(asked, passwords, strict=True):
        assert f'autocomplete="{name}"' in each


@pytest.fixture
def owner(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_person(RUN)
    assert sign_in(client, person).status_code == 303


@pytest.mark.usefixtures("owner")
def test_a_new_password_is_filed_under_the_run(client: FlaskClient) -> None:
    names = ["current-password", "new-password", "new-password"]
    assert_names_its_person(client.get("/account/password").text, names)
    refused = client.post("/account/password", data={"current": "wrong", "new": "x" * 12, "repeated": "x" * 12})
    assert refused.status_code == 422
    assert_names_its_person(refused.text, names)
    assert_names_its_person(client.post("/account/password", data={}).text, names)


@pytest.mark.usefixtures("owner")
def test_what_the_field_brings_along_changes_nothing(client: FlaskClient) -> None:
    form = {"username": "1-9", "current": PASSWORD, "new": "cordillera nieve puma", "repeated": "cordillera nieve puma"}
    assert client.post("/account/password", data=form).status_code == 303


@pytest.mark.usefixtures("owner")
def test_setting_up_a_second_step_names_the_person(client: FlaskClient) -> None:
    assert_names_its_person(client.get("/account/second-step").text, ["current-password"])
    assert_names_its_person(client.post("/account/second-step", data={"password": "no"}).text, ["current-password"])


@pytest.mark.parametrize("path", ["/account/second-step/recovery-codes", "/account/second-step/remove"])
def test_who_proves_themselves_again_is_named(app: Flask, client: FlaskClient, path: str) -> None:
    with app.app_context():
        person = a_person(RUN)
    enrolled: Enrolled = enrol(client, person)
    assert enrolled
    assert_names_its_person(client.get(path).text, ["current-password"])
    assert_names_its_person(client.post(path, data={}).text, ["current-password"])


def test_who_signs_in_writes_it_themselves(client: FlaskClient) -> None:
    first, second = password_form(client.get("/sign-in").text)
    assert ('autocomplete="username"' in first, 'autocomplete="current-password"' in second) == (True, True)


def test_these_are_all_the_forms_that_ask_for_a_password() -> None:
    templates = [path for block in ("identity", "platform", "catalogue", "interoperability")
                 for path in (ROOT / block).rglob("templates/**/*.html")]  # fmt: skip
    found = {str(path.relative_to(ROOT)) for path in templates if "-password" in path.read_text(encoding="utf-8")}
    assert found == PLACES
