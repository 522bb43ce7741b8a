"""A person's telephone: confirmed by a code that was sent to it, changed and removed by them alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from identity.inbox.queries import preferences_of
from identity.inbox.rules import parse_phone
from identity.people.models import Person
from identity.people.queries import phone_of
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

PAGE = "/account/notices/preferences"
NUMBER = "+56912345678"


@pytest.fixture
def ana(app: Flask, client: FlaskClient) -> Person:
    """A person who has signed in."""
    with app.app_context():
        person = a_person(email="ana@example.cl")
    sign_in(client, person)
    return person


def jobs(app: Flask, name: str) -> list[dict[str, str]]:
    with app.app_context():
        query = text("SELECT args FROM procrastinate_jobs WHERE task_name = :name ORDER BY id")
        return list(session().scalars(query, {"name": name}))


def code(app: Flask) -> str:
    return jobs(app, "kernel:sms:deliver")[-1]["text"][:6]


def other(digits: str) -> str:
    return f"{(int(digits) + 1) % 1_000_000:06}"


def ask(client: FlaskClient, number: str = "9 1234 5678") -> int:
    return client.post(f"{PAGE}/phone", data={"phone": number}).status_code


def enter(client: FlaskClient, digits: str) -> int:
    return client.post(f"{PAGE}/phone/code", data={"code": digits}).status_code


def phone(app: Flask, person: Person) -> str | None:
    with app.app_context():
        return phone_of(person.id)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("9 1234 5678", NUMBER),
        ("+56 9 1234 5678", NUMBER),
        ("56-9-1234.5678", NUMBER),
        ("+34 612 345 678", "+34612345678"),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, expected: str) -> None:
    assert parse_phone(written) == expected


@pytest.mark.parametrize(
    "written", ["", "x", "1234", "22 123 4567", "+56 2 2123 4567", "+0123456789", "+1234567890123456", "+٣٤612345678"]
)
def test_what_is_no_mobile_number_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        parse_phone(written)


def test_a_number_is_confirmed_chosen_changed_and_removed(app: Flask, client: FlaskClient, ana: Person) -> None:
    assert "-sms" not in client.get(PAGE).text
    assert ask(client) == 303
    assert jobs(app, "kernel:sms:deliver")[0]["to"] == NUMBER
    assert phone(app, ana) is None
    assert NUMBER in client.get(PAGE).text
    assert enter(client, code(app)) == 303
    assert phone(app, ana) == NUMBER
    with app.app_context():
        assert all(one.timings.get("sms", "off") == "off" for one in preferences_of(ana.id))
    with clock.shifted(timedelta(minutes=2)):
        assert ask(client, "+34 612 345 678") == 303
        assert enter(client, code(app)) == 303
    assert phone(app, ana) == "+34612345678"
    assert client.post(f"{PAGE}/phone/remove").status_code == 303
    assert client.post(f"{PAGE}/phone/remove").status_code == 303
    assert phone(app, ana) is None
    assert [one["to"] for one in jobs(app, "kernel:mail:deliver")] == ["ana@example.cl"] * 3
    with app.app_context():
        events = session().scalars(select(AuditEvent).where(AuditEvent.tag.like("identity:person:phone-%"))).all()
        assert [one.tag.rpartition("-")[2] for one in events] == ["sent", "set", "sent", "set", "removed"]
        assert all(one.detail == {} for one in events)


def test_a_code_that_is_wrong_expired_or_used_confirms_nothing(app: Flask, client: FlaskClient, ana: Person) -> None:
    assert enter(client, "000000") == 422
    ask(client)
    assert enter(client, other(code(app))) == 422
    assert enter(client, "") == 422
    assert phone(app, ana) is None
    assert enter(client, code(app)) == 303
    client.post(f"{PAGE}/phone/remove")
    assert enter(client, code(app)) == 422
    with clock.shifted(timedelta(minutes=20)):
        assert ask(client) == 303
    with clock.shifted(timedelta(minutes=31)):
        assert enter(client, code(app)) == 422
    assert phone(app, ana) is None


def test_guessing_is_slowed_down(app: Flask, client: FlaskClient, ana: Person) -> None:
    ask(client)
    answers = [enter(client, other(code(app))) for _ in range(8)]
    assert answers[:5] == [422] * 5
    assert 429 in answers
    assert enter(client, code(app)) == 429


def test_a_code_is_sent_once_a_minute_to_a_person_and_to_a_number(app: Flask, client: FlaskClient, ana: Person) -> None:
    assert ask(client) == 303
    assert ask(client, "9 8765 4321") == 429
    with app.app_context():
        eva = a_person(email="eva@example.cl")
    browser = app.test_client()
    sign_in(browser, eva)
    assert ask(browser) == 429
    assert enter(browser, code(app)) == 422
    assert phone(app, eva) is None
    with clock.shifted(timedelta(seconds=61)):
        assert ask(browser) == 303


def test_a_wrong_number_is_told_at_its_field(client: FlaskClient, ana: Person) -> None:
    answer = client.post(f"{PAGE}/phone", data={"phone": "1234"})
    assert answer.status_code == 422
    assert "Escriba un número de celular" in answer.text


def test_nobody_has_one_without_signing_in(client: FlaskClient) -> None:
    assert ask(client) == 401
    assert enter(client, "123456") == 401
