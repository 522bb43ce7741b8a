"""The redemption of a code is recorded with it, by either door, once and in the same statement."""

from collections.abc import Callable

import pytest
from builders.clients import a_code, basic, token_form
from builders.doors import DOORS, directly
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.models import Grant
from identity.people.models import Person
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

TOKEN = "/openid/token"


Door = Callable[..., TestResponse]
doors = pytest.mark.parametrize("door", DOORS)


def redemptions(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        return list(session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:code:redeemed")))


@doors
def test_a_redemption_says_which_application_redeemed_whose_code(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, door: Door
) -> None:
    assert door(client, TOKEN, method="POST", data=token_form(made, a_code(client, made))).status_code == 200
    (event,) = redemptions(app)
    assert event.subject == f"client:{made.client.client_id}"
    assert (event.actor_kind, event.actor, event.actor_name) == ("machine", made.client.client_id, made.client.name)
    assert event.detail == {"person": str(person.id)}
    assert event.request_id


@doors
def test_a_secret_in_the_header_is_recorded_alike(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, door: Door
) -> None:
    form = token_form(made, a_code(client, made), client_id=None, client_secret=None)
    assert (
        door(client, TOKEN, method="POST", data=form, headers=basic(made.client.client_id, made.secret)).status_code
        == 200
    )
    assert [event.actor for event in redemptions(app)] == [made.client.client_id]


@doors
@pytest.mark.parametrize("wrong", [{"redirect_uri": "https://elsewhere.cl/"}, {"client_secret": "wrong"}], ids=str)
def test_what_is_refused_is_no_redemption(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, door: Door, wrong: dict[str, str]
) -> None:
    assert door(client, TOKEN, method="POST", data=token_form(made, a_code(client, made)) | wrong).status_code in (
        400,
        401,
    )
    assert redemptions(app) == []


@doors
def test_a_replay_is_no_second_redemption(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, door: Door
) -> None:
    form = token_form(made, a_code(client, made))
    assert [door(client, TOKEN, method="POST", data=form).status_code for _ in range(2)] == [200, 400]
    assert len(redemptions(app)) == 1


@pytest.mark.usefixtures("no_time_passes")
def test_the_record_costs_no_round_trip(app: Flask, client: FlaskClient, person: Person, made: NewClient) -> None:
    for _ in range(2):  # the first makes the key that signs, the second reads it
        directly(client, TOKEN, method="POST", data=token_form(made, a_code(client, made)))
    form = token_form(made, a_code(client, made))
    with counted() as statements:
        directly(client, TOKEN, method="POST", data=form)
    assert len(statements) == 1
    assert len(redemptions(app)) == 3


def test_the_row_stays_until_nothing_that_came_of_it_can_be_used(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    with app.app_context():
        row = session().scalars(select(Grant)).one()
        assert (row.expires_at - row.created_at).total_seconds() == 60
        assert (row.kept_until - row.expires_at).total_seconds() == 3600
