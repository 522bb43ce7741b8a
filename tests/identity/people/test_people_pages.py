"""A person's own page: data, sessions, password."""

import pytest
from builders.identity import PASSWORD, a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.authentication.login_throttling.rules import BACKOFFS
from identity.authentication.sessions.models import SignInSession
from identity.people.models import Person
from kernel.database.db import session

NEW = "cordillera nieve puma"


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    with app.app_context():
        person = a_person("10.000.013-K")
    assert sign_in(client, person).status_code == 303
    return person


@pytest.fixture
def elsewhere(app: Flask, person: Person) -> FlaskClient:
    """Another browser in which the person is signed in."""
    other = app.test_client()
    assert sign_in(other, person).status_code == 303
    return other


def sids(app: Flask) -> list[str]:
    with app.app_context():
        return list(session().scalars(select(SignInSession.sid).order_by(SignInSession.id)))


def change(client: FlaskClient, current: str, new: str, repeated: str | None = None) -> tuple[int, str]:
    data = {"current": current, "new": new, "repeated": new if repeated is None else repeated}
    answer = client.post("/account/password", data=data)
    return answer.status_code, answer.text


@pytest.mark.usefixtures("person")
def test_the_page_shows_who_one_is(client: FlaskClient) -> None:
    page = client.get("/account").text
    for shown in ("10.000.013-K", "María Carmen", "Del Río González", "maria@example.cl"):
        assert shown in page


@pytest.mark.parametrize("path", ["/account", "/account/password"])
def test_nobody_sees_it_without_signing_in(client: FlaskClient, path: str) -> None:
    assert client.get(path).location.startswith("/sign-in?next=")


def test_a_session_elsewhere_can_be_ended(app: Flask, client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = sids(app)[-1]
    assert there in client.get("/account").text
    assert client.post(f"/account/sessions/{there}/end").status_code == 303
    assert elsewhere.get("/account").status_code == 303
    assert client.get("/account").status_code == 200
    assert client.post(f"/account/sessions/{there}/end").status_code == 404


def test_all_others_can_be_ended_at_once(client: FlaskClient, elsewhere: FlaskClient) -> None:
    client.post("/account/sessions/end-others")
    assert elsewhere.get("/account").status_code == 303
    assert client.get("/account").status_code == 200


@pytest.mark.usefixtures("person")
def test_another_persons_session_is_not_there(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        stranger = a_person()
    other = app.test_client()
    sign_in(other, stranger)
    assert client.post(f"/account/sessions/{sids(app)[-1]}/end").status_code == 404
    client.post("/account/sessions/end-others")
    assert other.get("/account").status_code == 200


def test_a_new_password_ends_the_sessions_elsewhere(
    app: Flask, client: FlaskClient, elsewhere: FlaskClient, person: Person
) -> None:
    assert change(client, PASSWORD, NEW)[0] == 303
    assert client.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert sign_in(app.test_client(), person, PASSWORD).status_code == 422
    assert sign_in(app.test_client(), person, NEW).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "repeated", "field"),
    [
        ("not mine at all", NEW, NEW, "current"),
        (PASSWORD, "corta", "corta", "new"),
        (PASSWORD, NEW, "something else", "repeated"),
        ("", NEW, NEW, "current"),
    ],
)
def test_a_change_that_is_wrong_is_told_at_its_field(
    client: FlaskClient, person: Person, current: str, new: str, repeated: str, field: str
) -> None:
    status, page = change(client, current, new, repeated)
    assert status == 422
    assert f'id="{field}-error"' in page
    assert NEW not in page, "a password never comes back in a page"
    assert sign_in(client, person, PASSWORD).status_code == 303


@pytest.mark.usefixtures("person")
def test_who_stole_a_session_cannot_guess_the_password_here(client: FlaskClient) -> None:
    for _ in range(BACKOFFS["account-address"].free + 1):
        status, _page = change(client, "a guess of mine", NEW)
    assert status == 429


def test_a_test_person_is_shared_and_nobody_shuts_the_others_out(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        a_person("44.444.444-4", password="testing", is_test_person=True)
    other = app.test_client()
    for browser in (client, other):
        assert sign_in(browser, "44.444.444-4", "testing").status_code == 303
    theirs = sids(app)[-1]
    assert theirs not in client.get("/account").text
    assert client.post(f"/account/sessions/{theirs}/end").status_code == 409
    assert client.post("/account/sessions/end-others").status_code == 409
    assert change(client, "testing", NEW)[0] == 409
    assert other.get("/account").status_code == 200
