"""A developer lets one application of theirs call another on behalf of people, and nobody else's."""

import re

import pytest
from builders.clients import a_client
from builders.identity import an_agency
from builders.sandbox import a_developer, an_application
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from identity.clients.token_exchange_policies.models import ExchangePolicy
from identity.clients.token_exchange_policies.queries import allowed_scopes
from kernel.database.db import session

LIST, NEW = "/sandbox/exchanges", "/sandbox/exchanges/new"


@pytest.fixture
def developer(client: FlaskClient) -> FlaskClient:
    a_developer(client)
    return client


@pytest.fixture
def pair(developer: FlaskClient) -> tuple[str, str]:
    """Two applications of the developer."""
    return an_application(developer)[0], an_application(developer, name="Archivo de Ñuble")[0]


def allow(browser: FlaskClient, actor: str, target: str, *scopes: str) -> TestResponse:
    return browser.post(NEW, data={"actor": actor, "target": target, "scopes": list(scopes) or ["run"]})


def allowed(app: Flask, actor: str, target: str) -> frozenset[str] | None:
    with app.app_context():
        return allowed_scopes(actor, target)


def end_of(page: TestResponse) -> str:
    found = re.search(r'action="(/sandbox/exchanges/[0-9a-f-]{36}/end)"', page.text)
    assert found, page.text
    return found[1]


def test_a_developer_allows_and_ends_it(app: Flask, developer: FlaskClient, pair: tuple[str, str]) -> None:
    assert allow(developer, *pair, "run", "name").status_code == 303
    assert allowed(app, *pair) == frozenset({"run", "name"})
    assert allowed(app, *reversed(pair)) is None
    page = developer.get(LIST)
    assert f"urn:cordillera:client:{pair[1]}" in page.text
    # Once more is in its place.
    assert allow(developer, *pair, "name").status_code == 303
    assert allowed(app, *pair) == frozenset({"name"})
    assert developer.post(end_of(developer.get(LIST))).status_code == 303
    assert allowed(app, *pair) is None
    assert "/end" not in developer.get(LIST).text
    assert developer.post(end_of(page)).status_code == 409


def test_nobody_elses_application_has_a_part_in_it(app: Flask, developer: FlaskClient, pair: tuple[str, str]) -> None:
    stranger = app.test_client()
    a_developer(stranger, "otra@example.cl")
    theirs = an_application(stranger)[0]
    with app.app_context():
        an_agency("AE001")
        agencys = a_client("standard", owner="agency:AE001").client.client_id
        operators = a_client("standard").client.client_id
    for other in (theirs, agencys, operators, "nobody", "\x00", ""):
        assert allow(developer, pair[0], other).status_code == 422, other
        assert allow(developer, other, pair[0]).status_code == 422, other
    with app.app_context():
        assert session().scalar(select(func.count()).select_from(ExchangePolicy)) == 0
    assert allow(developer, *pair).status_code == 303
    end = end_of(developer.get(LIST))
    assert stranger.post(end).status_code == 404
    assert app.test_client().post(end).status_code == 401
    assert pair[0] not in stranger.get(LIST).text
    assert allowed(app, *pair) == frozenset({"run"})


def test_what_cannot_be_allowed(app: Flask, developer: FlaskClient, pair: tuple[str, str]) -> None:
    for scopes in (("openid",), ("offline_access",), ("account",), ("run", "everything"), ("",)):
        assert allow(developer, *pair, *scopes).status_code == 422, scopes
    assert allow(developer, pair[0], pair[0]).status_code == 422
    # The integration manual of ClaveUnica knows no such grant.
    legacy = an_application(developer, profile="clave-unica")[0]
    assert allow(developer, legacy, pair[0]).status_code == 422
    assert developer.post(f"/sandbox/applications/{pair[1]}/delete").status_code == 303
    assert allow(developer, *pair).status_code == 422


def test_who_has_one_application_is_told_to_make_another(developer: FlaskClient) -> None:
    an_application(developer)
    assert "/sandbox/applications/new" in developer.get(NEW).text
    assert 'name="actor"' not in developer.get(NEW).text
