"""A person's account through an application, and RFC 9470 from the challenge to the answer."""

from datetime import timedelta

import pytest
from builders.clients import (
    CALLBACK,
    VERIFIER,
    a_client,
    a_code,
    a_system,
    answer_of,
    authorize,
    basic,
    machine_token,
    redeem,
)
from builders.identity import a_person, an_agency, sign_in
from builders.keys import a_key, a_proof
from builders.requests import agree
from builders.second_factor import SECRET, a_test_person_with_code, code_of, give_code, go_on
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.http import parse_dict_header
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

BASE = "http://localhost"
API = f"{BASE}/api/v1"
SHARED = "/api/v1/account/applications"
SCOPE = "openid account"
ONE, TWO = "urn:cordillera:acr:1", "urn:cordillera:acr:2"


@pytest.fixture
def made(app: Flask) -> NewClient:
    """The application through which a person looks after what they share."""
    with app.app_context():
        return a_client("standard", name="Mi identidad", scopes=("openid", "account", "name"))


@pytest.fixture
def other(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", name="Trámites de Prueba")


@pytest.fixture
def person(app: Flask, client: FlaskClient, other: NewClient) -> Person:
    """Signed in with the password alone, and sharing with the other application."""
    with app.app_context():
        found = a_test_person_with_code()
    sign_in(client, found)
    a_code(client, other)
    return found


def a_token(client: FlaskClient, made: NewClient, answer: TestResponse | None = None) -> str:
    if answer is None:
        answer = agree(client, authorize(client, made, scope=SCOPE, resource=API))
    given = redeem(client, made, answer_of(answer)["code"])
    assert given.status_code == 200, given.text
    return str(given.get_json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def shared(client: FlaskClient, token: str) -> TestResponse:
    return client.get(SHARED, headers=bearer(token))


def withdraw(client: FlaskClient, token: str, client_id: str) -> TestResponse:
    return client.delete(f"{SHARED}/{client_id}", headers=bearer(token))


def challenge(answer: TestResponse) -> dict[str, str | None]:
    """The values that the answer tells the application to ask for."""
    scheme, _, told = answer.headers["WWW-Authenticate"].partition(" ")
    return {"scheme": scheme, **parse_dict_header(told)}


def test_the_application_is_told_how_and_the_resource_answers_then(
    client: FlaskClient, person: Person, made: NewClient, other: NewClient
) -> None:
    token = a_token(client, made)
    assert {one["name"] for one in shared(client, token).get_json()["items"]} == {"Mi identidad", "Trámites de Prueba"}
    refused = withdraw(client, token, other.client.client_id)
    assert refused.status_code == 401
    assert refused.get_json()["type"].endswith("/problems/insufficient-user-authentication")
    told = challenge(refused)
    assert told.pop("error_description")
    assert told == {
        "scheme": "Bearer",
        "error": "insufficient_user_authentication",
        "acr_values": TWO,
        "max_age": "900",
    }
    # RFC 9470 4: the application sends the person again, with what it was told.
    asked = authorize(client, made, scope=SCOPE, resource=API, acr_values=told["acr_values"], max_age=told["max_age"])
    assert asked.location.startswith("/sign-in/code?")
    entered = client.post(asked.location, data={"code": code_of(SECRET)})
    better = a_token(client, made, agree(client, go_on(client, entered)))
    assert withdraw(client, better, other.client.client_id).status_code == 204
    assert {one["name"] for one in shared(client, better).get_json()["items"]} == {"Mi identidad"}
    # The token from before is worth no more than it was.
    assert withdraw(client, token, other.client.client_id).status_code == 401


def test_an_old_sign_in_is_not_enough(client: FlaskClient, person: Person, made: NewClient, other: NewClient) -> None:
    give_code(client, code_of(SECRET))
    with clock.shifted(timedelta(minutes=16)):
        token = a_token(client, made)
        assert challenge(withdraw(client, token, other.client.client_id))["max_age"] == "900"
        sign_in(client, person)
        give_code(client, code_of(SECRET))
        assert withdraw(client, a_token(client, made), other.client.client_id).status_code == 204


def test_it_is_recorded_who_did_it_and_through_what(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, other: NewClient
) -> None:
    give_code(client, code_of(SECRET))
    withdraw(client, a_token(client, made), other.client.client_id)
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:consent:withdrawn")).one()
        assert (event.actor_kind, event.actor) == ("person", str(person.id))
        assert event.detail == {"through": made.client.client_id}


def test_what_is_not_shared_is_not_found(client: FlaskClient, person: Person, made: NewClient) -> None:
    give_code(client, code_of(SECRET))
    token = a_token(client, made)
    for client_id in ("0" * 32, "%00", "x" * 3_000, "%F0%9F%8C%8B"):
        assert withdraw(client, token, client_id).status_code == 404


def test_nobody_sees_what_others_share(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, other: NewClient
) -> None:
    with app.app_context():
        stranger = a_test_person_with_code()
    browser = app.test_client()
    sign_in(browser, stranger)
    give_code(browser, code_of(SECRET))
    token = a_token(browser, made)
    assert [one["name"] for one in shared(browser, token).get_json()["items"]] == ["Mi identidad"]
    assert withdraw(browser, token, other.client.client_id).status_code == 404


def test_without_the_scope_the_audience_or_a_token_of_a_person(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    with app.app_context():
        an_agency()
        system = a_system(scopes=("communications.send",))
    elsewhere = redeem(client, made, a_code(client, made, scope=SCOPE)).get_json()["access_token"]
    without = redeem(client, made, a_code(client, made, scope="openid name", resource=API)).get_json()["access_token"]
    machine = machine_token(client, system, resource=API)
    assert [shared(client, token).status_code for token in (elsewhere, without, machine)] == [401, 403, 403]
    assert client.get(SHARED).status_code == 401
    assert client.get(SHARED, headers=bearer("x")).status_code == 401


def test_a_persons_token_opens_nothing_that_is_for_systems_or_for_them_alone(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    token = a_token(client, made)
    assert client.get("/api/v1/communications", headers=bearer(token)).status_code == 403
    assert client.get("/gateway/SRV-0001/v1/x", headers=bearer(token)).status_code == 401
    browser = client.application.test_client()
    assert browser.get("/account", headers=bearer(token)).status_code == 303


def test_an_application_has_to_be_registered_for_it(client: FlaskClient, person: Person, other: NewClient) -> None:
    assert answer_of(authorize(client, other, scope=SCOPE, resource=API))["error"] == "invalid_scope"


def test_the_person_reads_what_they_agree_to(client: FlaskClient, person: Person, made: NewClient) -> None:
    page = authorize(client, made, scope=SCOPE, resource=API)
    assert "las aplicaciones con las que usted comparte datos" in page.text


def test_a_withdrawn_sign_in_opens_nothing(client: FlaskClient, person: Person, made: NewClient) -> None:
    give_code(client, code_of(SECRET))
    token = a_token(client, made)
    assert withdraw(client, token, made.client.client_id).status_code == 204
    assert shared(client, token).status_code == 401


def test_a_token_by_value_says_the_same(app: Flask, client: FlaskClient, person: Person, other: NewClient) -> None:
    with app.app_context():
        by_value = a_client("standard", scopes=("openid", "account"), options={"access_token_format": "jwt"})
    weak = a_token(client, by_value)
    assert weak.count(".") == 2
    assert shared(client, weak).status_code == 200
    assert withdraw(client, weak, other.client.client_id).status_code == 401
    give_code(client, code_of(SECRET))
    assert withdraw(client, a_token(client, by_value), other.client.client_id).status_code == 204


def test_a_bound_token_is_challenged_in_its_own_scheme(
    client: FlaskClient, person: Person, made: NewClient, other: NewClient
) -> None:
    """RFC 9470 3 with RFC 9449 7.1."""
    key = a_key()
    code = answer_of(agree(client, authorize(client, made, scope=SCOPE, resource=API)))["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    headers = basic(made.client.client_id, made.secret) | a_proof(key)
    token = client.post("/openid/token", data=form, headers=headers).get_json()["access_token"]
    place = f"{SHARED}/{other.client.client_id}"
    proof = a_proof(key, "DELETE", BASE + place, access_token=token)
    refused = client.delete(place, headers={"Authorization": f"DPoP {token}", **proof})
    assert (refused.status_code, challenge(refused)["scheme"]) == (401, "DPoP")
    assert challenge(refused)["error"] == "insufficient_user_authentication"
    # As one that is only borne it is no token at all.
    assert challenge(withdraw(client, token, other.client.client_id))["error"] == "invalid_token"


def test_who_has_no_second_factor_is_offered_one_and_never_let_through(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, other: NewClient
) -> None:
    with app.app_context():
        without = a_person(is_test_person=True)
    sign_in(client, without)
    assert withdraw(client, a_token(client, made), other.client.client_id).status_code == 401
    assert authorize(client, made, scope=SCOPE, resource=API, acr_values=TWO).status_code == 200


def test_discovery_names_the_scope(client: FlaskClient) -> None:
    assert "account" in client.get("/openid/.well-known/openid-configuration").get_json()["scopes_supported"]
    said = client.get("/.well-known/oauth-protected-resource/api/v1").get_json()
    assert "account" in said["scopes_supported"]
