"""Tokens given to an application in its developer's name end when an agency takes it over."""

import pytest
from builders.clients import (
    a_client,
    a_code,
    authorize,
    basic,
    redeem,
    tokens_for,
    userinfo,
)
from builders.identity import an_agency
from builders.requests import a_request_uri, show
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.ownership_transfers.actions import accept, offer
from identity.clients.ownership_transfers.queries import offer_to
from identity.clients.registry.actions import NewClient
from identity.clients.token_exchange_policies.actions import allow_exchange
from identity.clients.token_exchange_policies.models import ExchangePolicy
from identity.openid.models import ApplicationConsent
from identity.people.models import Person
from kernel.base.parties import Party
from kernel.database.db import session
from kernel.outside.messages import Recipient

DEVELOPER = Party.developer("0190a0b0-0000-7000-8000-000000000001")
EVA = Recipient("eva@example.cl", "es")
AWAY = "openid run offline_access"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def developers(app: Flask) -> NewClient:
    """The application, with the secret that its developer knows."""
    with app.app_context():
        an_agency("AE001")
        scopes = ["openid", "run", "name", "email", "offline_access"]
        return a_client("standard", owner=DEVELOPER, scopes=scopes, options={"device_flow": True})


def taken_over(app: Flask, made: NewClient) -> NewClient:
    """The application, with the secret that only the agency knows."""
    with app.app_context():
        offer(made.client.client_id, "AE001", "Es el formulario que encargaron.", owner=DEVELOPER, developer=EVA)
        seen = offer_to("AE001", made.client.client_id).fingerprint
        return accept(made.client.client_id, "AE001", seen)


def refused(client: FlaskClient, made: NewClient, **form: str) -> str:
    """The error of a token request with the application's present secret."""
    response = client.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret))
    assert response.status_code == 400, response.text
    return str(response.get_json()["error"])


def test_no_token_from_before_works(app: Flask, client: FlaskClient, person: Person, developers: NewClient) -> None:
    given = tokens_for(client, developers, scope=AWAY)
    assert userinfo(client, given["access_token"]).status_code == 200
    agencys = taken_over(app, developers)
    assert userinfo(client, given["access_token"]).status_code == 401
    # Neither the developer, whose secret has ended, nor the agency goes on where the developer was.
    assert refused(client, agencys, grant_type="refresh_token", refresh_token=given["refresh_token"]) == "invalid_grant"
    for token in (given["access_token"], given["refresh_token"]):
        told = client.post(
            "/openid/introspect", data={"token": token}, headers=basic(agencys.client.client_id, agencys.secret)
        )
        assert told.get_json() == {"active": False}


def test_no_token_by_value_from_before_works(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        an_agency("AE001")
        made = a_client("standard", owner=DEVELOPER, options={"access_token_format": "jwt"})
    token = tokens_for(client, made)["access_token"]
    assert userinfo(client, token).status_code == 200
    taken_over(app, made)
    assert userinfo(client, token).status_code == 401


def test_what_was_on_its_way_leads_nowhere(
    app: Flask, client: FlaskClient, person: Person, developers: NewClient
) -> None:
    code = a_code(client, developers, scope=AWAY)
    request_uri = a_request_uri(client, developers)
    device = client.post(
        "/openid/device_authorization",
        data={"client_id": developers.client.client_id, "scope": "openid"},
        headers=basic(developers.client.client_id, developers.secret),
    ).get_json()
    agencys = taken_over(app, developers)
    assert redeem(client, agencys, code).get_json()["error"] == "invalid_grant"
    assert show(client, agencys, request_uri=request_uri).status_code == 400
    assert client.post("/device", data={"user_code": device["user_code"]}).status_code == 422
    assert refused(client, agencys, grant_type=DEVICE, device_code=device["device_code"]) == "invalid_grant"


def test_people_are_asked_again(app: Flask, client: FlaskClient, person: Person, developers: NewClient) -> None:
    a_code(client, developers)
    assert authorize(client, developers).status_code == 303
    agencys = taken_over(app, developers)
    assert authorize(client, agencys).status_code == 200
    with app.app_context():
        assert session().scalars(select(ApplicationConsent.withdrawn_at)).one() is not None


def test_it_calls_nobody_and_nobody_calls_it_as_the_developer_allowed(app: Flask, developers: NewClient) -> None:
    its_id = developers.client.client_id
    with app.app_context():
        other = a_client("standard", owner=DEVELOPER).client.client_id
        allow_exchange(its_id, other, ["run"])
        allow_exchange(other, its_id, ["run"])
        third = a_client("standard", owner=DEVELOPER).client.client_id
        allow_exchange(other, third, ["run"])
    taken_over(app, developers)
    with app.app_context():
        rows = session().scalars(select(ExchangePolicy))
        assert {(row.actor_client_id, row.target_client_id): row.status for row in rows} == {
            (its_id, other): "ended",
            (other, its_id): "ended",
            (other, third): "allowed",
        }


def test_another_application_of_the_developer_keeps_what_it_has(
    app: Flask, client: FlaskClient, person: Person, developers: NewClient
) -> None:
    with app.app_context():
        other = a_client("standard", owner=DEVELOPER)
    token = tokens_for(client, other)["access_token"]
    a_code(client, developers)
    agencys = taken_over(app, developers)
    assert userinfo(client, token).status_code == 200
    # And the agency begins afresh.
    assert userinfo(client, tokens_for(client, agencys)["access_token"]).status_code == 200
