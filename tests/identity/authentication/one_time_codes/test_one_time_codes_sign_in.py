"""The second factor: signing in with it, and what an attacker tries."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from builders.identity import a_person, is_signed_in, sign_in
from builders.second_factor import (
    PAGES,
    TWO,
    Enrolled,
    audited,
    begin,
    code_of,
    enrol,
    give_code,
    living_session,
)
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient

from identity.authentication.sessions.rules import COOKIE
from identity.people.models import Person
from kernel.base.clock import shifted

STEP = timedelta(seconds=30)


def test_next_survives_both_steps(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    run = str(person.run)
    halfway = client.post("/sign-in", data={"run": run, "password": "una clave de prueba", "next": "/account/password"})
    assert 'name="next" value="/account/password"' in client.get(halfway.location).text
    assert give_code(client, enrolled.code(), "/account/password").location == "/account/password"


def test_next_leads_nowhere_else(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    assert give_code(client, enrolled.code(), "https://evil.example/").location == "/"


def test_no_code_no_session(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    wrong = ("", "000000", "abcdef", enrolled.code(-3), enrolled.code(3), "\x00", "9" * 100_000)
    assert [give_code(client, code).status_code for code in wrong[:4]] == [422] * 4
    with shifted(timedelta(hours=2)):
        sign_in(client, person)
        assert [give_code(client, code).status_code for code in wrong[4:]] == [422] * 3
    assert not is_signed_in(client)


def test_a_code_works_once(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    """RFC 6238 5.2: the verifier must not accept the second attempt of the code after a success."""
    sign_in(client, person)
    code, before = enrolled.code(), enrolled.code(-1)
    assert give_code(client, code).status_code == 303
    for used_or_older in (code, before):
        sign_in(client, person)
        assert give_code(client, used_or_older).status_code == 422
    assert audited(app).count("identity:second-factor:refused") == 2


def test_the_code_that_confirmed_does_not_sign_in(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    secret = begin(client)
    code = code_of(secret)
    assert client.post(f"{PAGES}/confirm", data={"code": code}).status_code == 200
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, code).status_code == 422


def test_a_code_of_another_person_is_wrong(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    with app.app_context():
        somebody = a_person()
    other = enrol(app.test_client(), somebody)
    sign_in(client, person)
    for code in (other.code(), other.recovery_codes[0]):
        assert give_code(client, code).status_code == 422
    assert not is_signed_in(client)


def test_a_recovery_code_works_once_and_is_no_otp(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[3].lower()).status_code == 303
    assert (living_session(app).acr, living_session(app).amr) == (TWO, ["pwd", "mfa"])
    assert "<dd>9</dd>" in client.get(PAGES).text
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[3]).status_code == 422
    assert give_code(client, enrolled.recovery_codes[4]).status_code == 303


def test_guesses_are_slowed_down(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    answers = [give_code(client, "000000") for _guess in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [422] * 5
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # The right code has to wait as well, and a new password does not wash the guesses away.
    sign_in(client, person)
    assert give_code(client, enrolled.code()).status_code == 429
    with shifted(timedelta(minutes=8)):
        assert give_code(client, enrolled.code()).status_code == 303


def test_being_halfway_ends(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    with shifted(timedelta(minutes=11)):
        assert client.get("/sign-in/code").location == "/sign-in"
        assert give_code(client, enrolled.code()).location == "/sign-in"
    assert not is_signed_in(client)


def test_the_code_alone_opens_nothing(app: Flask, client: FlaskClient, enrolled: Enrolled) -> None:
    stranger = app.test_client()
    assert stranger.get("/sign-in/code?next=/account").location == "/sign-in?next=/account"
    assert give_code(stranger, enrolled.code()).location == "/sign-in"
    assert not is_signed_in(stranger)


def test_the_session_before_lives_until_the_code_is_right(
    client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    before = client.get_cookie(COOKIE)
    sign_in(client, person)
    give_code(client, "000000")
    assert is_signed_in(client)
    with shifted(STEP * 2):
        assert give_code(client, enrolled.code()).status_code == 303
    after = client.get_cookie(COOKIE)
    assert before
    assert after
    assert before.value != after.value


def test_the_page_says_whose_code_it_wants(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    page = client.get("/sign-in/code?next=/account/password").text
    assert person.name in page
    assert 'href="/sign-in?again=1&amp;next=/account/password"' in page


def test_a_sign_in_without_it_says_no_more_to_the_database(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with counted() as statements:
        sign_in(client, person)
    assert statements
    assert not re.search(r"(FROM|JOIN|INTO|UPDATE) second_factor", " ".join(statements))


def test_two_at_once_use_a_code_once(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    browsers = [app.test_client() for _one in range(4)]
    for browser in browsers:
        sign_in(browser, person)
    code = enrolled.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda browser: give_code(browser, code).status_code, browsers))
    assert sorted(answers) == [303, 422, 422, 422]
