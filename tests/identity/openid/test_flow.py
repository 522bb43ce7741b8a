"""The main way, from the request to what the application learns, for both profiles."""

from datetime import timedelta

import pytest
from builders.clients import (
    CALLBACK,
    STATE,
    a_client,
    a_code,
    a_request,
    answer_of,
    authorize,
    basic,
    decide,
    following,
    redeem,
    tokens_for,
    userinfo,
)
from builders.identity import a_person, sign_in
from builders.requests import posted, push
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    """A test person, signed in to the browser `client`."""
    with app.app_context():
        made = a_person("12.345.678-5", is_test_person=True)
    assert sign_in(client, made).status_code == 303
    return made


def claims_of(browser: FlaskClient, id_token: str, algorithm: str) -> dict[str, object]:
    keys = KeySet.import_key_set(browser.get("/openid/jwks").get_json())
    return jwt.decode(id_token, keys, algorithms=[algorithm]).claims


def test_clave_unica_from_the_request_to_the_person(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    page = authorize(client, legacy)
    assert page.status_code == 200
    answer = answer_of(decide(client, page, "allow"))
    assert (answer["state"], answer["iss"], len(answer["code"])) == (STATE, "http://localhost/openid", 32)
    response = redeem(client, legacy, answer["code"], state=STATE)
    token = response.get_json()
    assert response.headers["Cache-Control"] == "no-store"
    assert set(token) == {"access_token", "token_type", "expires_in", "id_token"}
    assert (token["token_type"], token["expires_in"], len(token["access_token"])) == ("bearer", 3600, 32)
    told = userinfo(client, token["access_token"]).get_json()
    assert told.pop("sub") == claims_of(client, token["id_token"], "RS256")["sub"]
    assert told == {
        "RolUnico": {"DV": "5", "numero": 12345678, "tipo": "RUN"},
        "name": {"apellidos": ["Del Río", "González"], "nombres": ["María", "Carmen"]},
        "email": "maria@example.cl",
    }


def test_standard_from_the_request_to_the_person(client: FlaskClient, person: Person, made: NewClient) -> None:
    token = tokens_for(client, made, scope="openid profile run")
    assert (token["token_type"], token["scope"]) == ("Bearer", "openid profile run")
    claims = claims_of(client, token["id_token"], "ES256")
    assert claims["aud"] == made.client.client_id
    assert (claims["iss"], claims["nonce"], claims["amr"]) == ("http://localhost/openid", "a-nonce", ["pwd"])
    assert {"at_hash", "auth_time", "acr", "sid", "exp", "iat"} <= set(claims)
    told = userinfo(client, token["access_token"]).get_json()
    assert (told["name"], told["given_name"]) == ("María Carmen Del Río González", "María Carmen")
    assert told["RolUnico"]["numero"] == 12345678
    assert "email" not in told


def test_who_is_not_signed_in_signs_in_first_and_comes_back(app: Flask, client: FlaskClient, legacy: NewClient) -> None:
    with app.app_context():
        made = a_person(is_test_person=True)
    form = authorize(client, legacy)
    assert "Trámites de Prueba" in form.text
    assert "form-action 'self' http://127.0.0.1:9" in form.headers["Content-Security-Policy"]
    back = sign_in(client, made, following=following(form))
    assert back.headers["Location"].startswith("/openid/authorize?")
    page = client.get(back.headers["Location"])
    assert 'name="decision" value="allow"' in page.text
    assert "form-action 'self' http://127.0.0.1:9" in page.headers["Content-Security-Policy"]


def test_who_agreed_before_goes_from_the_password_straight_to_the_application(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    for mode, way in (("query", answer_of), ("form_post", posted)):
        elsewhere = app.test_client()
        back = sign_in(elsewhere, person, following=following(authorize(elsewhere, made, response_mode=mode)))
        assert redeem(client, made, way(back)["code"]).status_code == 200, mode
        assert elsewhere.get("/account").status_code == 200


@pytest.mark.usefixtures("no_time_passes")
def test_a_password_and_the_way_on_are_two_round_trips(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    elsewhere = app.test_client()
    asked = following(authorize(elsewhere, made))
    with counted() as round_trips:
        assert "code" in answer_of(sign_in(elsewhere, person, following=asked))
    reading, beginning = round_trips
    assert (reading.split()[0], "sign_in_throttle" in reading, "person" in reading) == ("SELECT", True, True)
    assert ("sign_in_session" in beginning, "authorization_code" in beginning) == (True, True)


def test_the_sign_in_stays_where_the_way_on_is_closed(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    """A pushed request leads on once: who is second is signed in all the same, and told then."""
    a_code(client, made)
    request = {"client_id": made.client.client_id, "request_uri": push(client, made).get_json()["request_uri"]}
    elsewhere = app.test_client()
    page = elsewhere.get("/openid/authorize", query_string=request)
    assert "code" in answer_of(client.get("/openid/authorize", query_string=request))
    back = sign_in(elsewhere, person, following=following(page))
    assert back.headers["Location"].startswith("/openid/authorize?")
    assert elsewhere.get("/account").status_code == 200
    assert elsewhere.get(back.headers["Location"]).status_code == 400


def test_who_sends_a_form_finds_the_request_after_changing_the_language(client: FlaskClient, legacy: NewClient) -> None:
    away = client.post("/openid/authorize", data=a_request(legacy))
    assert away.headers["Location"].startswith("/sign-in?")
    assert "Trámites de Prueba" in client.get(away.headers["Location"]).text


def test_consent_is_asked_once(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    a_code(client, legacy)
    assert "code" in answer_of(authorize(client, legacy))
    assert authorize(client, legacy, prompt="consent").status_code == 200


def test_fewer_scopes_need_no_new_consent_and_more_do(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    a_code(client, legacy, scope="openid run")
    assert "code" in answer_of(authorize(client, legacy, scope="openid"))
    assert authorize(client, legacy, scope="openid run email").status_code == 200


def test_who_does_not_agree_sends_the_application_away(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    answer = answer_of(decide(client, authorize(client, legacy), "deny"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", STATE, "http://localhost/openid")
    assert authorize(client, legacy).status_code == 200


def test_basic_authentication_and_every_path_with_a_slash(
    client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    page = client.get("/openid/authorize/", query_string=a_request(legacy))
    code = answer_of(decide(client, page, "allow"))["code"]
    response = client.post(
        "/openid/token/",
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK},
        headers=basic(legacy.client.client_id, legacy.secret),
    )
    headers = {"Authorization": f"bearer {response.get_json()['access_token']}"}
    assert client.get("/openid/userinfo/", headers=headers).status_code == 200
    assert client.get("/openid/.well-known/openid-configuration/").get_json()["issuer"] == "http://localhost/openid"


def test_two_sectors_know_a_person_by_different_names(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        ours, ours_too = (a_client(owner="agency:AE001") for _ in range(2))
        theirs = a_client(owner="agency:AE002")
    subjects = [
        userinfo(client, tokens_for(client, each)["access_token"]).get_json()["sub"]
        for each in (ours, ours_too, theirs)
    ]
    assert subjects[0] == subjects[1] != subjects[2]
    assert str(person.id) not in subjects


def test_an_expired_code_gives_nothing(client: FlaskClient, person: Person, made: NewClient) -> None:
    code = a_code(client, made)
    with clock.shifted(timedelta(seconds=61)):
        assert redeem(client, made, code).get_json()["error"] == "invalid_grant"


def test_an_expired_access_token_tells_nothing(client: FlaskClient, person: Person, made: NewClient) -> None:
    token = tokens_for(client, made)["access_token"]
    with clock.shifted(timedelta(hours=1, seconds=1)):
        assert userinfo(client, token).status_code == 401
