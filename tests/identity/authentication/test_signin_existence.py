"""Nobody learns who has an account: neither from what is answered nor from how much work it was."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from builders.clients import a_client, a_request, authorize, following
from builders.identity import PASSWORD, a_person, a_run, sign_in
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import registered_client
from identity.openid.tokens.tokens import subject_for
from kernel.base.ids import new_id

Asking = Callable[[FlaskClient, NewClient, str], TestResponse]
WRONG = "not the password"


def with_a_wrong_password(browser: FlaskClient, _: NewClient, run: str) -> TestResponse:
    return sign_in(browser, run, WRONG)


def on_the_way_to_an_application(browser: FlaskClient, made: NewClient, run: str) -> TestResponse:
    page = authorize(browser, made, login_hint=run)
    assert page.status_code == 200
    return browser.post("/sign-in", data={"run": run, "password": WRONG, "next": following(page)})


def as_a_hint(browser: FlaskClient, made: NewClient, run: str) -> TestResponse:
    return browser.get(
        "/sign-in", query_string={"next": f"/openid/authorize?{urlencode(a_request(made, login_hint=run))}"}
    )


def as_a_hint_without_a_page(browser: FlaskClient, made: NewClient, run: str) -> TestResponse:
    return authorize(browser, made, login_hint=run, prompt="none")


def on_the_way_to_a_device(browser: FlaskClient, _: NewClient, run: str) -> TestResponse:
    page = browser.get("/device?user_code=BCDF-GHJK")
    assert page.headers["Location"].startswith("/sign-in")
    return browser.post("/sign-in", data={"run": run, "password": WRONG, "next": "/device?user_code=BCDF-GHJK"})


def with_a_broken_password(browser: FlaskClient, _: NewClient, run: str) -> TestResponse:
    return sign_in(browser, run, "\x00" * 200)


def with_no_password(browser: FlaskClient, _: NewClient, run: str) -> TestResponse:
    return sign_in(browser, run, "")


WAYS: list[Asking] = [
    *(with_a_wrong_password, with_a_broken_password, with_no_password, on_the_way_to_an_application),
    *(on_the_way_to_a_device, as_a_hint, as_a_hint_without_a_page),
]


VARIES = re.compile(r"""nonce(-|=")[\w-]+|csrf_token" value="[^"]*|detour(=|%3D)[\w.-]+""")
"""Differences between any two pages: nonces, form tokens, and our marks, which have the time in them."""


def answer_and_work(app: Flask, way: Asking, made: NewClient, run: str) -> tuple[int, str, str, list[str]]:
    """The answer to a browser that was never here before, and the statements that it took."""
    browser = app.test_client()
    with counted() as statements:
        answer = way(browser, made, run)
    page, place = (
        VARIES.sub("", said).replace(run, "RUN") for said in (answer.text, answer.headers.get("Location", ""))
    )
    return answer.status_code, page, place, [statement.split()[0] for statement in statements]


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_person_who_exists_is_told_from_nobody_by_nothing(app: Flask, way: Asking) -> None:
    with app.app_context():
        made = a_client("standard")
        person, test_person = a_person(), a_person(is_test_person=True)
    runs = [str(person.run), str(test_person.run), a_run()]
    answer_and_work(app, way, made, a_run())  # what is read once for all is read now
    known, known_for_tests, unknown = (answer_and_work(app, way, made, run) for run in runs)
    assert known == unknown == known_for_tests


@pytest.mark.usefixtures("no_time_passes")
def test_a_person_named_by_a_subject_is_told_from_nobody_by_nothing(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        made = a_client("standard")
        here, other = a_person(is_test_person=True), a_person(is_test_person=True)
        known = registered_client(made.client.client_id)
        assert known
        subjects = [subject_for(known, other.id), subject_for(known, new_id())]
    assert sign_in(client, here, PASSWORD).status_code == 303
    authorize(client, made, prompt="none")  # what is read once for all is read now
    answers = []
    for subject in subjects:
        claims = f'{{"id_token": {{"sub": {{"value": "{subject}"}}}}}}'
        with counted() as statements:
            answer = authorize(client, made, claims=claims, prompt="none")
        answers.append((answer.status_code, answer.headers["Location"], len(statements)))
    assert answers[0] == answers[1]
