"""Persons, agencies and officials for tests: a call says what matters and the rest is invented.

Builders want an application context; what signs a browser in wants none.
"""

from collections.abc import Sequence
from itertools import count

from flask.testing import FlaskClient
from stdnum.cl.rut import calc_check_digit
from werkzeug.test import TestResponse

from identity.agencies.actions import create_agency
from identity.agencies.models import Agency
from identity.officials.actions import appoint, end_appointment
from identity.officials.queries import appointments_of
from identity.people.actions import register_person
from identity.people.models import Person

PASSWORD = "una clave de prueba"
_numbers = count(10_000_001)


def a_run() -> str:
    """A valid RUN that no other test of this process has."""
    number = next(_numbers)
    return f"{number}-{calc_check_digit(str(number))}"


def a_person(
    run: str | None = None,
    given_names: Sequence[str] = ("María", "Carmen"),
    family_names: Sequence[str] = ("Del Río", "González"),
    email: str | None = "maria@example.cl",
    password: str = PASSWORD,
    is_test_person: bool = False,
) -> Person:
    return register_person(run or a_run(), given_names, family_names, email, password, is_test_person=is_test_person)


def an_agency(
    code: str = "AE001", name: str = "Servicio de Prueba", *, is_authority: bool = False, parent: str | None = None
) -> Agency:
    return create_agency(code, name, is_authority=is_authority, parent=parent)


def an_official(agency: Agency | str, *roles: str, run: str | None = None) -> Person:
    """A person with these roles at the agency."""
    person = a_person(run)
    for role in roles or ("administrator",):
        appoint(agency if isinstance(agency, str) else agency.code, str(person.run), role)
    return person


def end_functions(agency_code: str, person: Person, *functions: str) -> None:
    """End what a person holds at an agency; all of it unless functions are named."""
    for appointment, holder in appointments_of(agency_code):
        if holder.id == person.id and appointment.function in (functions or (appointment.function,)):
            end_appointment(agency_code, appointment.id)


def sign_in(client: FlaskClient, person: Person | str, password: str = PASSWORD, following: str = "") -> TestResponse:
    """Sign a browser in through the form, to go on to `following`. Call outside of an application context."""
    run = person if isinstance(person, str) else str(person.run)
    return client.post("/sign-in", data={"run": run, "password": password, "next": following})


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def sign_in_for(client: FlaskClient, person: Person, agency: Agency | str) -> None:
    """Sign an official in and act for the agency."""
    assert sign_in(client, person).status_code == 303
    code = agency if isinstance(agency, str) else agency.code
    assert client.post("/agency", data={"agency": code}).status_code == 303
