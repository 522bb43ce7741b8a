"""Attempts of a hostile owner to have something in use that the authority has not seen."""

from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client, a_system, basic, tokens_for, userinfo
from builders.identity import an_agency, sign_in_for
from builders.identity import an_official as official_of
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.client_reviews.actions import approve, ask_for_environment, change_application
from identity.clients.client_reviews.queries import find_pending, get_pending
from identity.clients.client_reviews.rules import ChangedMeanwhile
from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import any_client, registration_of
from identity.clients.token_exchange_policies.actions import allow_exchange
from identity.clients.token_exchange_policies.queries import allowed_scopes
from identity.people.models import Person
from kernel.jobs.access import Principal, act_as

RETURN = "https://tramites.example.cl/entrada"
ELSEWHERE = "https://tramites.example.cl.evil.example/"


@pytest.fixture
def an_application(app: Flask) -> Any:
    """An application of AE001 that is ready to leave the sandbox, or has left it."""
    with app.app_context():
        an_agency("AE001")

    def make(environment: str, **options: Any) -> NewClient:
        return a_client(
            "standard",
            redirect_uris=[RETURN],
            post_logout_redirect_uris=[],
            environment=environment,
            owner="agency:AE001",
            scopes=["openid", "run", "offline_access"],
            scope_reasons={"run": "Para encontrar su expediente.", "offline_access": "Para avisarle."},
            contacts=["ana@example.cl"],
            options=options,
        )

    return make


def an_official() -> None:
    act_as(Principal(kind="official", id="test", name="Ana"))


@pytest.mark.parametrize("name", ["client_uri", "policy_uri", "tos_uri"])
def test_where_its_name_leads_people_is_approved_first(context: None, an_application: Any, name: str) -> None:
    made = an_application("production", **{name: RETURN})
    client_id, kept = made.client.client_id, registration_of(made.client)
    an_official()
    assert change_application(any_client(client_id), replace(kept, options={name: ELSEWHERE})).request is not None
    assert any_client(client_id).options == {name: RETURN}


def test_taking_such_an_address_away_is_the_owners(context: None, an_application: Any) -> None:
    made = an_application("production", policy_uri=RETURN)
    an_official()
    change_application(made.client, replace(registration_of(made.client), options={}))
    assert find_pending(made.client.client_id) is None
    assert any_client(made.client.client_id).options == {}


@pytest.mark.parametrize("option", [{"policy_uri": ELSEWHERE}, {"device_flow": True}], ids=["policy", "devices"])
def test_what_changes_while_it_is_looked_at_is_looked_at_again(
    context: None, an_application: Any, option: dict[str, Any]
) -> None:
    made = an_application("sandbox", policy_uri=RETURN)
    client_id = made.client.client_id
    an_official()
    ask_for_environment(client_id, "production")
    seen = get_pending(client_id).fingerprint
    change_application(any_client(client_id), replace(registration_of(made.client), options=option))
    with pytest.raises(ChangedMeanwhile):
        approve(client_id, seen)
    assert any_client(client_id).environment == "sandbox"


def test_no_token_of_a_test_person_lives_on_in_production(
    app: Flask, client: FlaskClient, person: Person, an_application: Any
) -> None:
    with app.app_context():
        made = an_application("sandbox")
    given = tokens_for(client, made, scope="openid run offline_access")
    assert userinfo(client, given["access_token"]).status_code == 200
    with app.app_context():
        ask_for_environment(made.client.client_id, "production")
        approve(made.client.client_id, get_pending(made.client.client_id).fingerprint)
    assert userinfo(client, given["access_token"]).status_code == 401
    refused = client.post(
        "/openid/token",
        data={"grant_type": "refresh_token", "refresh_token": given["refresh_token"]},
        headers=basic(made.client.client_id, made.secret),
    )
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")


def test_what_was_allowed_for_made_up_people_is_not_for_real_ones(context: None, an_application: Any) -> None:
    portal = an_application("sandbox").client.client_id
    register = a_system("AE002", environment="sandbox").client.client_id
    allow_exchange(portal, register, ["run"])
    ask_for_environment(portal, "certification")
    approve(portal, get_pending(portal).fingerprint)
    assert allowed_scopes(portal, register) is None


def test_the_authority_reads_every_option(app: Flask, client: FlaskClient, an_application: Any) -> None:
    with app.app_context():
        made = an_application("sandbox", policy_uri=ELSEWHERE, default_max_age=77)
        ask_for_environment(made.client.client_id, "production")
        official = official_of(an_agency("AE900", "La Autoridad", is_authority=True))
    sign_in_for(client, official, "AE900")
    page = client.get(f"/authority/applications/{made.client.client_id}").text
    assert ELSEWHERE in page
    assert "default_max_age: 77" in page
