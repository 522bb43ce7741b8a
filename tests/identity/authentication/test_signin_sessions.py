"""A session's cost for each request, and how long it is kept."""

from datetime import timedelta

import pytest
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.authentication.sessions.actions import delete_old_sessions, forget_old_sessions
from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.sessions.rules import COOKIE, KEPT_FOR
from identity.people.models import Person
from kernel.base.clock import shifted
from kernel.database.db import session


def test_a_request_costs_one_read_and_no_write(app: Flask, client: FlaskClient, person: Person) -> None:
    token = client.get_cookie(COOKIE)
    assert token
    cookies = {"Cookie": f"{COOKIE}={token.value}"}
    with counted() as statements, app.test_request_context(headers=cookies):
        assert current_sign_in() is current_sign_in()
        found = current_sign_in()
        assert found is not None
        assert found.person.id == person.id
        assert (found.acr, found.amr) == ("urn:cordillera:acr:1", ["pwd"])
    assert [statement.split()[0] for statement in statements] == ["SELECT"]
    with shifted(timedelta(minutes=2)), counted() as statements:
        for _ in range(2):
            with app.test_request_context(headers=cookies):
                assert current_sign_in()
    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE", "SELECT"]


@pytest.mark.usefixtures("person")
def test_old_sessions_are_forgotten(app: Flask) -> None:
    with app.app_context():
        assert delete_old_sessions() == 0
        with shifted(KEPT_FOR + timedelta(days=1)):
            assert delete_old_sessions() == 1
            forget_old_sessions()
        assert session().scalars(select(SignInSession)).all() == []
