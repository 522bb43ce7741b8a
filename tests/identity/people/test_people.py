"""Registering people and their passwords, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from builders.identity import PASSWORD, a_person, a_run
from flask import Flask
from sqlalchemy import func, select

from identity.people import rules
from identity.people.actions import register_person, set_password
from identity.people.models import Person
from identity.people.queries import find_by_run, get_person
from identity.people.rules import RunTaken
from kernel.base.errors import Invalid, NotFound
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

pytestmark = pytest.mark.usefixtures("context")


def test_a_person_is_found_by_any_spelling_of_the_run() -> None:
    person = a_person("12.345.678-5")
    assert find_by_run("12345678-5") == person
    assert find_by_run("012 345 678 5") == person
    assert (person.run_number, person.run_dv, person.name) == (12345678, "5", "María Carmen Del Río González")


def test_nobody_is_nobody() -> None:
    assert find_by_run("11111111-1") is None
    with pytest.raises(NotFound):
        get_person("not an id")


def test_the_password_is_not_in_the_database() -> None:
    person = a_person()
    assert person.password_hash.startswith("$argon2id$")
    assert PASSWORD not in person.password_hash


def test_a_registration_is_on_record() -> None:
    person = a_person()
    event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:person:registered")).one()
    assert event.subject == f"person:{person.id}"
    assert PASSWORD not in str(event.detail)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"run": "12.345.678-9"}, "run"),
        ({"given_names": []}, "given_names"),
        ({"email": "nobody"}, "email"),
        ({"password": "corta"}, "password"),
    ],
)
def test_wrong_data_is_refused_at_its_field_and_nothing_is_stored(change: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        a_person(**change)  # type: ignore[arg-type]
    assert list(refused.value.fields) == [field]
    assert session().scalar(select(func.count()).select_from(Person)) == 0


def test_only_test_persons_have_short_passwords() -> None:
    a_person("44.444.444-4", password="testing", is_test_person=True)
    with pytest.raises(Invalid):
        a_person("55.555.555-5", password="testing")


def test_one_run_is_one_person_even_when_two_come_at_once(app: Flask) -> None:
    run = a_run()

    def register(name: str) -> bool:
        with app.app_context():
            try:
                register_person(run, [name], ["Pérez"], None, PASSWORD)
            except RunTaken:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(register, ["Ana", "Eva", "Isa", "Luz"])) == [False, False, False, True]


def test_a_new_password_replaces_the_old_one() -> None:
    person = a_person()
    set_password(person.id, "otra clave distinta")
    pepper = rules.pepper_from(b"the-master-key-of-the-test-suite")
    assert rules.password_matches("otra clave distinta", person.password_hash, pepper)
    assert not rules.password_matches(PASSWORD, person.password_hash, pepper)
