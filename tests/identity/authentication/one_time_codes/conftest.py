"""Fixtures of most tests of the second factor: a person, and their app."""

import pytest
from builders.identity import a_person
from builders.second_factor import Enrolled, enrol
from flask import Flask
from flask.testing import FlaskClient

from identity.people.models import Person


@pytest.fixture
def person(app: Flask) -> Person:
    with app.app_context():
        return a_person()


@pytest.fixture
def enrolled(client: FlaskClient, person: Person) -> Enrolled:
    """The person has set it up, and has left."""
    found = enrol(client, person)
    client.post("/sign-out")
    return found
