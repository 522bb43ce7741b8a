"""The second factor: setting it up, choosing when it is asked for, taking it away."""

from datetime import timedelta

import pytest
from builders.following import follow_up
from builders.identity import a_person, is_signed_in, sign_in
from builders.second_factor import (
    ONE,
    PAGES,
    TWO,
    Enrolled,
    a_test_person_with_code,
    audited,
    begin,
    code_of,
    enrol,
    give_code,
    living_session,
    recovery_codes_shown,
    secret_shown,
)
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select, text

from identity.authentication.one_time_codes.actions import remove_for
from identity.authentication.one_time_codes.models import SecondFactor
from identity.authentication.one_time_codes.rules import NotEnrolled, otpauth_link, qr_code
from identity.people.models import Person
from kernel.base.clock import shifted
from kernel.base.errors import NotFound
from kernel.database.db import session
from kernel.recording.audit import AuditEvent


def test_a_person_sets_it_up_and_signs_in_with_it(app: Flask, client: FlaskClient, person: Person) -> None:
    enrolled = enrol(client, person)
    assert living_session(app).acr == TWO
    client.post("/sign-out")
    halfway = sign_in(client, person)
    assert (halfway.status_code, halfway.location) == (303, "/sign-in/code")
    assert not is_signed_in(client)
    assert 'name="code"' in client.get("/sign-in/code").text
    entered = give_code(client, enrolled.code())
    assert (entered.status_code, entered.location) == (303, "/account")
    assert is_signed_in(client)
    assert (living_session(app).acr, living_session(app).amr) == (TWO, ["pwd", "otp", "mfa"])


def test_the_key_is_a_picture_a_link_and_letters(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    begin(client)
    answer = client.get(f"{PAGES}/confirm", headers={"Accept-Language": "en"})
    link = otpauth_link(secret_shown(answer), str(person.run))
    assert f'<img src="{escape(qr_code(link))}" alt="The key as a QR code. ' in answer.text
    assert answer.text.index("Open the app</a>") < answer.text.index("The key as a QR code."), "a telephone has the app"
    spanish = client.get(f"{PAGES}/confirm", headers={"Accept-Language": "es"}).text
    assert "Escanee" in spanish
    assert "Entregue" not in spanish
    assert f'href="{escape(link)}"' in answer.text
    assert "img-src 'self' data:" in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_nothing_that_is_kept_shows_a_secret(app: Flask, enrolled: Enrolled) -> None:
    with app.app_context():
        kept = session().scalars(select(SecondFactor)).one()
        events = [str(event.detail) for event in session().scalars(select(AuditEvent))]
    assert enrolled.secret not in kept.sealed_secret
    for code in enrolled.recovery_codes:
        assert code.replace(" ", "") not in str(kept.recovery_hashes) + "".join(events)


def test_an_unconfirmed_secret_asks_for_nothing(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    begin(client)
    assert client.post(f"{PAGES}/confirm", data={"code": "000000"}).status_code == 422
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert "Not set up" in client.get("/account", headers={"Accept-Language": "en"}).text


def test_a_secret_is_to_be_confirmed_within_an_hour(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    secret = begin(client)
    with shifted(timedelta(minutes=61)):
        sign_in(client, person)
        assert client.get(f"{PAGES}/confirm").location == PAGES
        assert client.post(f"{PAGES}/confirm", data={"code": code_of(secret)}).location == PAGES


def test_beginning_again_gives_another_secret(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    first, second = begin(client), begin(client)
    assert first != second
    assert client.post(f"{PAGES}/confirm", data={"code": code_of(first)}).status_code == 422
    assert client.post(f"{PAGES}/confirm", data={"code": code_of(second)}).status_code == 200
    assert client.post(PAGES, data={"password": "una clave de prueba"}).status_code == 409


def test_a_session_alone_neither_sets_up_nor_takes_away(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    for path in ("/remove", "/recovery-codes"):
        for password, code in (("wrong", enrolled.code(1)), ("una clave de prueba", "000000"), ("", "")):
            answer = client.post(PAGES + path, data={"password": password, "code": code})
            assert answer.status_code == 422, (path, password)
    with app.app_context():
        newcomer = a_person()
    other = app.test_client()
    sign_in(other, newcomer)
    assert other.post(PAGES, data={"password": "wrong"}).status_code == 422
    assert other.get(f"{PAGES}/confirm").location == PAGES


def test_the_person_is_told_by_mail(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    client.post(f"{PAGES}/remove", data=proof)
    with app.app_context():
        follow_up()
        query = "SELECT args->>'to', args->>'subject' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"
        told = session().execute(text(f"{query} ORDER BY id")).all()
    assert [to for to, _subject in told] == [person.email] * 2
    assert ["configuró" in subject for _to, subject in told] == [True, False]


def test_it_is_removed_with_password_and_code(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    assert client.post(f"{PAGES}/remove", data=proof).status_code == 303
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert living_session(app).acr == ONE
    assert "identity:second-factor:removed" in audited(app)


def test_an_operator_takes_it_away(app: Flask, context: None, client: FlaskClient) -> None:
    person = a_test_person_with_code()
    remove_for(str(person.run))
    assert person.second_factor is None
    with pytest.raises(NotEnrolled):
        remove_for(str(person.run))
    with pytest.raises(NotFound):
        remove_for("12.345.678-5")


def test_new_recovery_codes_end_the_old_ones(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    new = recovery_codes_shown(client.post(f"{PAGES}/recovery-codes", data=proof))
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[1]).status_code == 422
    assert give_code(client, new[1]).status_code == 303


def test_only_when_an_application_asks(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    assert client.post(f"{PAGES}/use", data={"use": "never"}).status_code == 422
    assert client.post(f"{PAGES}/use", data={"use": "when asked"}).status_code == 303
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert living_session(app).acr == ONE


def test_a_session_of_the_password_alone_does_not_weaken_it(app: Flask, client: FlaskClient, person: Person) -> None:
    older = app.test_client()
    sign_in(older, person)
    enrolled = enrol(client, person)
    asked = older.post(f"{PAGES}/use", data={"use": "when asked"})
    assert asked.location.startswith("/sign-in/code?")
    with app.app_context():
        assert session().scalars(select(Person.second_factor)).one() == "always"
    assert give_code(older, enrolled.code()).status_code == 303
    assert older.post(f"{PAGES}/use", data={"use": "when asked"}).location == PAGES
