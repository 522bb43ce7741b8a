"""A device that wants two factors, or a recent sign-in, of who lets it in (RFC 8628 3.1, RFC 9470 4)."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from builders.clients import a_client, asks_to_sign_in, following
from builders.identity import PASSWORD, a_person, sign_in
from builders.second_factor import ONE, SECRET, TWO, a_test_person_with_code, code_of, give_code
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICES = {"device_flow": True}


@pytest.fixture
def television(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", name="Televisor", auth_method="none", scopes=["openid", "name"], options=DEVICES)


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    """Somebody who has a second factor, and has signed in with the password alone."""
    with app.app_context():
        person = a_test_person_with_code()
    assert sign_in(client, person).status_code == 303
    return person


@pytest.fixture
def without(app: Flask, client: FlaskClient) -> Person:
    """Somebody without a second factor."""
    with app.app_context():
        person = a_person(is_test_person=True)
    assert sign_in(client, person).status_code == 303
    return person


def started(app: Flask, made: NewClient, **form: str) -> dict[str, Any]:
    data = {"client_id": made.client.client_id, "scope": "openid name", **form}
    answer = app.test_client().post("/openid/device_authorization", data=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def fields(page: TestResponse) -> dict[str, str]:
    """The fields of the page's form, with the code that is filled in."""
    assert page.status_code == 200, page.text
    named = re.findall(r'<input[^>]*name="(user_code|detour)"[^>]*value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in named}


def asked(client: FlaskClient, user_code: str, back: str | None = None) -> TestResponse:
    """Press the button of the page with the code, as the person who opens it or comes back to it."""
    page = client.get(back or f"/device?user_code={user_code}")
    return client.post("/device", data=fields(page))


def allowed(client: FlaskClient, page: TestResponse) -> TestResponse:
    return client.post("/device/decide", data=fields(page) | {"decision": "allow"})


def claims_for(app: Flask, made: NewClient, device_code: str) -> dict[str, Any]:
    """Of the ID token that the device gets."""
    browser = app.test_client()
    form = {"grant_type": GRANT, "client_id": made.client.client_id, "device_code": device_code}
    found = browser.post("/openid/token", data=form).get_json()
    keys = KeySet.import_key_set(browser.get("/openid/jwks").get_json())
    return dict(jwt.decode(found["id_token"], keys, algorithms=["ES256"]).claims)


@pytest.mark.parametrize("wrong", [{"max_age": "soon"}, {"max_age": "-1"}, {"acr_values": "x" * 201}])
def test_a_wrong_wish_gets_no_codes(app: Flask, television: NewClient, wrong: dict[str, str]) -> None:
    data = {"client_id": television.client.client_id, "scope": "openid", **wrong}
    answer = app.test_client().post("/openid/device_authorization", data=data)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_who_has_a_second_factor_is_asked_for_the_code(
    app: Flask, client: FlaskClient, television: NewClient, person: Person
) -> None:
    told = started(app, television, acr_values=TWO)
    away = asked(client, told["user_code"])
    assert (away.status_code, away.location.split("?")[0]) == (303, "/sign-in/code")
    # Whoever knows the way does not get round it.
    refused = client.post("/device/decide", data={"user_code": told["user_code"], "decision": "allow"})
    assert refused.location.startswith("/sign-in/code")
    entered = give_code(client, code_of(SECRET, 1), following(away))
    page = asked(client, told["user_code"], entered.location)
    assert allowed(client, page).status_code == 200
    claims = claims_for(app, television, told["device_code"])
    assert (claims["acr"], "otp" in claims["amr"]) == (TWO, True)


def test_saying_no_needs_no_second_factor(
    app: Flask, client: FlaskClient, television: NewClient, person: Person
) -> None:
    told = started(app, television, acr_values=TWO)
    answer = client.post("/device/decide", data={"user_code": told["user_code"], "decision": "deny"})
    assert answer.status_code == 200
    form = {"grant_type": GRANT, "client_id": television.client.client_id, "device_code": told["device_code"]}
    assert app.test_client().post("/openid/token", data=form).get_json()["error"] == "access_denied"


def test_who_has_none_goes_on_without_and_the_device_learns_it(
    app: Flask, client: FlaskClient, television: NewClient, without: Person
) -> None:
    told = started(app, television, acr_values=f"{TWO} {ONE}")
    page = asked(client, told["user_code"])
    # The second of the wishes is met already, so nothing is asked.
    assert allowed(client, page).status_code == 200
    assert claims_for(app, television, told["device_code"])["acr"] == ONE
    told = started(app, television, acr_values=TWO)
    offer = asked(client, told["user_code"])
    go_on = unescape(re.findall(r'href="(/device\?[^"]*)"', offer.text)[-1])
    page = asked(client, told["user_code"], go_on)
    assert allowed(client, page).status_code == 200
    assert claims_for(app, television, told["device_code"])["acr"] == ONE


@pytest.mark.parametrize("max_age", ["0", "60"])
def test_an_old_sign_in_is_not_enough(
    app: Flask, client: FlaskClient, television: NewClient, without: Person, max_age: str
) -> None:
    with clock.shifted(timedelta(seconds=61)):
        told = started(app, television, max_age=max_age)
        away = asked(client, told["user_code"])
        assert asks_to_sign_in(away)
        back = following(away)
        # Without having signed in meanwhile, or with another device's mark, the way leads there again.
        assert asks_to_sign_in(asked(client, told["user_code"], back))
        assert asks_to_sign_in(
            client.post("/device/decide", data={"user_code": told["user_code"], "decision": "allow"})
        )
        client.post("/sign-in", data={"run": str(without.run), "password": PASSWORD, "next": back})
        other = started(app, television, max_age="0")
        mark = fields(client.get(back))["detour"]
        assert asks_to_sign_in(client.post("/device", data={"user_code": other["user_code"], "detour": mark}))
        page = asked(client, told["user_code"], back)
        assert allowed(client, page).status_code == 200
        claims = claims_for(app, television, told["device_code"])
        assert clock.now().timestamp() - claims["auth_time"] < 30


def test_what_the_client_registered_counts_where_the_device_says_nothing(
    app: Flask, client: FlaskClient, person: Person
) -> None:
    with app.app_context():
        made = a_client(
            "standard", auth_method="none", scopes=["openid"], options=DEVICES | {"default_acr_values": [TWO]}
        )
    told = started(app, made, scope="openid")
    assert asked(client, told["user_code"]).location.startswith("/sign-in/code")
