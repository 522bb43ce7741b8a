"""The second factor of test persons, whom strangers share."""

from datetime import timedelta

from builders.identity import a_person, is_signed_in, sign_in
from builders.second_factor import (
    ONE,
    PAGES,
    SECRET,
    TWO,
    Enrolled,
    a_test_person_with_code,
    code_of,
    give_code,
    living_session,
)
from flask import Flask
from flask.testing import FlaskClient

from identity.authentication.sessions.rules import COOKIE
from identity.people.models import Person
from kernel.base.clock import shifted


def test_a_living_session_is_raised_under_a_new_cookie_and_the_same_sid(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_test_person_with_code()
    sign_in(client, person)
    before, cookie = living_session(app), client.get_cookie(COOKIE)
    thief = app.test_client()
    assert cookie is not None
    thief.set_cookie(COOKIE, cookie.value)
    with shifted(timedelta(minutes=5)):
        code = code_of(SECRET)
        assert give_code(client, code, "/account/applications").location == "/account/applications"
        assert is_signed_in(client)
        assert not is_signed_in(thief)
    after = living_session(app)
    assert (before.acr, after.acr) == (ONE, TWO)
    assert (before.sid, before.authenticated_at) == (after.sid, after.authenticated_at)
    # Nobody asks again of whoever has given it.
    assert client.get("/sign-in/code").status_code == 303


def test_test_persons_keep_what_they_have(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_test_person_with_code()
        without = a_person(is_test_person=True)
    sign_in(client, person)
    password = {"password": "una clave de prueba"}
    code = {"code": code_of(SECRET)}
    assert client.post(f"{PAGES}/remove", data={**password, **code}).status_code == 409
    assert client.post(f"{PAGES}/recovery-codes", data={**password, **code}).status_code == 409
    assert client.post(f"{PAGES}/use", data={"use": "always"}).status_code == 409
    sign_in(client, without)
    assert client.post(PAGES, data=password).status_code == 409


def test_strangers_who_share_a_test_person_do_not_shut_each_other_out(app: Flask) -> None:
    with app.app_context():
        person = a_test_person_with_code()
    here, there = app.test_client(), app.test_client()
    code = code_of(SECRET)
    for browser in (here, there):
        sign_in(browser, person)
    for _guess in range(7):
        give_code(here, "000000")
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    answer = there.post("/sign-in/code", data={"code": code}, environ_base=elsewhere)
    assert answer.status_code == 303
    assert here.post("/sign-in/code", data={"code": code}).status_code == 429


def test_the_sandbox_shows_the_code_of_its_persons_and_of_no_other(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    with app.app_context():
        shared = a_test_person_with_code()
    sign_in(client, person)
    assert enrolled.code() not in client.get("/sign-in/code").text
    browser = app.test_client()
    sign_in(browser, shared)
    assert code_of(SECRET) in browser.get("/sign-in/code").text
