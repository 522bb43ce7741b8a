"""Fixtures of most tests of the provider: an application and a person who has signed in."""

import pytest
from builders.clients import a_client, a_code
from builders.identity import a_person, sign_in
from builders.sign_ins import Asking, asking_for
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.people.models import Person


@pytest.fixture
def made(app: Flask) -> NewClient:
    """An application of the profile `standard`."""
    with app.app_context():
        return a_client("standard")


@pytest.fixture
def legacy(app: Flask) -> NewClient:
    """An application of the profile `clave-unica`."""
    with app.app_context():
        return a_client("clave-unica")


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    """A test person, who has signed in with the browser `client`."""
    with app.app_context():
        person = a_person(is_test_person=True)
    assert sign_in(client, person).status_code == 303
    return person


@pytest.fixture
def asking(app: Flask, made: NewClient, client: FlaskClient, person: Person) -> Asking:
    """Of a person who has agreed to tell the application what it asks for."""
    a_code(client, made)
    return asking_for(app, person, made)
