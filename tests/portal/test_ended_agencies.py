"""An agency that moves keeps all that is its own; one that ended acts nowhere any more."""

from datetime import timedelta

import pytest
from builders.clients import a_system, basic, machine_token
from builders.identity import an_agency, an_official, sign_in_for
from builders.waiting import wait_until
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.agencies.actions import change_agency, set_validity
from identity.agencies.queries import agency_on
from identity.agencies.rules import AgencyChange
from identity.clients.registry.queries import systems_of
from identity.officials.queries import appointments_of
from kernel.base import clock
from kernel.base.parties import Party
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

DAY = timedelta(days=1)


def test_an_agency_that_moves_keeps_its_code_its_systems_its_officials_and_its_history(app: Flask) -> None:
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code)
        an_official(an_agency("AE010", parent="AE001"))
        system = a_system("AE010")
        before = agency_on("AE010", clock.today())
        records = select(AuditEvent.tag).where(AuditEvent.subject == "agency:AE010").order_by(AuditEvent.id)
        known = session().scalars(records).all()
        change_agency("AE010", AgencyChange({"parent": "AE002"}, clock.today(), "Ley 3"))
        after = agency_on("AE010", clock.today())
        assert (before.parent, after.parent) == ("AE001", "AE002")
        assert [one.client_id for one in systems_of(Party.agency("AE010"))] == [system.client.client_id]
        assert [one.function for one, _person in appointments_of("AE010")] == ["administrator"]
        assert session().scalars(records).all() == [*known, "identity:agency:moved"]


def test_who_acts_for_an_agency_that_ends_acts_for_themselves_from_the_next_day_on(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        official = an_official(an_agency("AE001"))
    sign_in_for(client, official, "AE001")
    with app.app_context():
        set_validity("AE001", clock.today() - DAY, clock.today() - DAY)
    for path in ("/agency/members", "/agency/services", "/agency/communications"):
        if client.get(path).status_code != 404:
            assert client.get(path).status_code == 403, path
    assert client.post("/agency", data={"agency": "AE001"}).status_code == 404
    assert "no pertenece a ningún organismo" in client.get("/agency").text


def test_the_systems_of_an_agency_that_ended_get_no_token_and_theirs_are_refused(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        an_agency("AE001")
        system = a_system("AE001")
    token = {"Authorization": f"Bearer {machine_token(client, system)}"}
    path = "/api/v1/agencies/AE001/functions"
    assert client.get(path, headers=token).status_code == 200
    with app.app_context():
        set_validity("AE001", clock.today() - DAY, clock.today() - DAY)
    # What the process remembers of the system, the change feed takes away.
    wait_until(lambda: client.get(path, headers=token).status_code == 401)
    asked = client.post(
        "/openid/token",
        data={"grant_type": "client_credentials"},
        headers=basic(system.client.client_id, system.secret),
    )
    assert (asked.status_code, (asked.json or {})["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/agencies", "/agencies/AE001", "/agencies.csv"])
def test_the_tree_is_for_officials(app: Flask, client: FlaskClient, path: str) -> None:
    with app.app_context():
        official = an_official(an_agency("AE001"), "correspondent")
    assert client.get(path).status_code == 303
    sign_in_for(client, official, "AE001")
    answer = client.get(path)
    assert answer.status_code == 200
    assert str(official.run) not in answer.text
