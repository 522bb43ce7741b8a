"""The test persons."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.rules import ACR_TWO_FACTORS
from identity.people.queries import find_by_run
from identity.people.rules import parse_run, password_matches, pepper_from
from kernel.base.settings import Settings
from kernel.database.db import session
from sandbox.personas.actions import seed_personas
from sandbox.personas.rules import PASSWORD, PERSONAS, WITH_SECOND_FACTOR


def test_every_test_person_has_a_run_no_citizen_has() -> None:
    numbers = [parse_run(persona.run) for persona in PERSONAS]
    assert len(set(numbers)) == len(PERSONAS) == 11
    assert all(run.number >= 40_000_000 for run in numbers)
    assert [str(run) for run in numbers] == [persona.run for persona in PERSONAS]
    assert any(run.dv == "K" for run in numbers)


def test_seeding_again_changes_nothing(context: None, settings: Settings) -> None:
    assert seed_personas() == len(PERSONAS)
    assert seed_personas() == 0
    maria = find_by_run("44.444.444-4")
    assert maria is not None
    assert maria.is_test_person
    assert maria.given_names == ["María", "Carmen"]
    assert password_matches(PASSWORD, maria.password_hash, pepper_from(settings.master_key))
    ana = find_by_run("48.000.100-1")
    assert ana is not None
    assert ana.family_names == []


def test_one_has_a_second_step_that_everybody_can_take(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        seed_personas()
    shown = re.search(r"<code[^>]*>([0-9]{6})</code>", client.get("/sandbox/personas/").text)
    assert shown
    asked = client.post("/sign-in", data={"run": WITH_SECOND_FACTOR.run, "password": PASSWORD})
    assert asked.status_code == 303
    assert client.get("/sign-in/code").status_code == 200
    assert client.post("/sign-in/code", data={"code": shown[1]}).status_code == 303
    with app.app_context():
        assert session().scalars(select(SignInSession.acr)).one() == ACR_TWO_FACTORS
        assert seed_personas() == 0


def test_the_table_shows_them_all(client: FlaskClient) -> None:
    page = client.get("/sandbox/personas").text
    for persona in PERSONAS:
        assert persona.run in page
