"""Levels of a sign-in to an application: acr_values and the acr claim of OIDC Core, with the second factor."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from builders.clients import a_client, a_code, answer_of, asks_to_sign_in, authorize, basic, following, redeem
from builders.identity import a_person, sign_in
from builders.requests import a_request_uri, agree, show
from builders.second_factor import SECRET, a_test_person_with_code, code_of, give_code, go_on, secret_shown
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock
from kernel.jobs.access import Principal, act_as

ONE, TWO = "urn:cordillera:acr:1", "urn:cordillera:acr:2"


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    """Signed in with the password alone, and agreed to share with the application."""
    with app.app_context():
        found = a_test_person_with_code()
    sign_in(client, found)
    return found


@pytest.fixture
def without(app: Flask, client: FlaskClient) -> Person:
    """Signed in, without a second factor."""
    with app.app_context():
        found = a_person(is_test_person=True)
    sign_in(client, found)
    return found


def acr_claim(**request: Any) -> str:
    return json.dumps({"id_token": {"acr": request}})


ESSENTIAL = acr_claim(essential=True, value=TWO)
WISHES = ({"acr_values": TWO}, {"acr_values": f"unknown {TWO}"}, {"claims": acr_claim(values=[TWO])})


def asks_for_code(answer: TestResponse) -> bool:
    return answer.status_code == 303 and answer.location.startswith("/sign-in/code?")


def step_up(client: FlaskClient, answer: TestResponse) -> TestResponse:
    """Write the code where it is asked for, and agree if that is asked then."""
    assert asks_for_code(answer), answer.text
    entered = give_code(client, code_of(SECRET), following(answer))
    assert entered.status_code == 303, entered.text
    return agree(client, go_on(client, entered))


def id_token_of(client: FlaskClient, made: NewClient, answer: TestResponse) -> dict[str, Any]:
    tokens = redeem(client, made, answer_of(answer)["code"]).get_json()
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    return dict(jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims)


def links(page: TestResponse) -> dict[str, str]:
    return {text: unescape(href) for href, text in re.findall(r'class="btn[^"]*" href="([^"]*)">([^<]*)<', page.text)}


def test_discovery_names_the_levels(client: FlaskClient) -> None:
    said = client.get("/openid/.well-known/openid-configuration").get_json()
    assert said["acr_values_supported"] == [ONE, TWO]


@pytest.mark.parametrize("wish", [*WISHES, {"claims": ESSENTIAL}])
def test_who_has_a_second_factor_is_asked_for_the_code_alone(
    client: FlaskClient, person: Person, made: NewClient, wish: dict[str, str]
) -> None:
    claims = id_token_of(client, made, step_up(client, authorize(client, made, **wish)))
    assert (claims["acr"], claims["amr"]) == (TWO, ["pwd", "otp", "mfa"])
    # The session is stepped up: the next application that wants it need not ask again.
    assert "code" in answer_of(authorize(client, made, prompt="none", **wish))


def test_the_code_leads_straight_back_where_nothing_else_is_asked(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    asked = authorize(client, made, acr_values=TWO)
    assert id_token_of(client, made, give_code(client, code_of(SECRET), following(asked)))["acr"] == TWO


def test_the_sid_and_the_time_of_the_sign_in_stay(client: FlaskClient, person: Person, made: NewClient) -> None:
    before = id_token_of(client, made, agree(client, authorize(client, made)))
    with clock.shifted(timedelta(minutes=5)):
        after = id_token_of(client, made, step_up(client, authorize(client, made, acr_values=TWO)))
    assert (before["acr"], after["acr"]) == (ONE, TWO)
    assert (before["sid"], before["auth_time"]) == (after["sid"], after["auth_time"])


def test_a_token_keeps_the_level_that_it_was_given_at(client: FlaskClient, person: Person, made: NewClient) -> None:
    weak = redeem(client, made, a_code(client, made)).get_json()["access_token"]
    strong = redeem(client, made, answer_of(step_up(client, authorize(client, made, acr_values=TWO)))["code"])
    for token, acr in ((weak, ONE), (strong.get_json()["access_token"], TWO)):
        said = client.post(
            "/openid/introspect", data={"token": token}, headers=basic(made.client.client_id, made.secret)
        ).get_json()
        assert said["acr"] == acr


def test_the_code_cannot_be_skipped(client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    for wish in ({"acr_values": TWO}, {"claims": ESSENTIAL}):
        asked = authorize(client, made, **wish)
        for address in (following(asked), following(asked).split("&detour")[0]):
            assert asks_for_code(client.get(address))
        posted = client.post(
            following(asked).replace("/openid/authorize", "/openid/consent"), data={"decision": "allow"}
        )
        assert asks_for_code(posted)
        assert give_code(client, "000000", following(asked)).status_code == 422


def test_password_and_code_come_one_after_the_other(client: FlaskClient, app: Flask, made: NewClient) -> None:
    with app.app_context():
        person = a_test_person_with_code()
    away = authorize(client, made, acr_values=TWO)
    entered = client.post(
        "/sign-in", data={"run": str(person.run), "password": "una clave de prueba", "next": following(away)}
    )
    claims = id_token_of(client, made, step_up(client, client.get(entered.location)))
    assert claims["acr"] == TWO


@pytest.mark.parametrize("again", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "login consent", "max_age": "0"}])
def test_with_a_new_sign_in_asked_for_both_are_given_once(
    client: FlaskClient, person: Person, made: NewClient, again: dict[str, str]
) -> None:
    a_code(client, made)
    away = authorize(client, made, acr_values=TWO, **again)
    assert asks_to_sign_in(away)
    with clock.shifted(timedelta(seconds=3)):
        run, password = str(person.run), "una clave de prueba"
        entered = client.post("/sign-in", data={"run": run, "password": password, "next": following(away)})
        asked = client.get(entered.location)
        with clock.shifted(timedelta(seconds=3)):
            assert id_token_of(client, made, step_up(client, asked))["acr"] == TWO


def test_max_age_wants_the_password_too(client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    with clock.shifted(timedelta(minutes=2)):
        assert asks_to_sign_in(authorize(client, made, acr_values=TWO, max_age="60"))
        assert asks_for_code(authorize(client, made, acr_values=TWO, max_age="600"))


def test_a_level_below_or_unknown_asks_for_nothing(client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    for values in (ONE, f"{ONE} {TWO}", "unknown", "urn:mace:incommon:iap:silver"):
        assert "code" in answer_of(authorize(client, made, acr_values=values)), values
    answer = answer_of(authorize(client, made, claims=acr_claim(essential=True, value="unknown")))
    assert answer["error"] == "unmet_authentication_requirements"


def test_prompt_none_shows_no_page(client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    for wish in WISHES:
        # OIDC Core 5.5.1.1: a wish is answered with the level that there is.
        assert id_token_of(client, made, authorize(client, made, prompt="none", **wish))["acr"] == ONE
    # OIDC Core 3.1.2.6: the person could meet it, but would have to be asked.
    assert answer_of(authorize(client, made, prompt="none", claims=ESSENTIAL))["error"] == "login_required"


def test_prompt_none_without_a_second_factor(client: FlaskClient, without: Person, made: NewClient) -> None:
    a_code(client, made)
    for wish in WISHES:
        assert id_token_of(client, made, authorize(client, made, prompt="none", **wish))["acr"] == ONE
    answer = answer_of(authorize(client, made, prompt="none", claims=ESSENTIAL))
    assert answer["error"] == "unmet_authentication_requirements"


def test_who_has_none_decides_about_a_wish(client: FlaskClient, without: Person, made: NewClient) -> None:
    a_code(client, made)
    for wish in WISHES:
        page = authorize(client, made, **wish)
        assert page.status_code == 200
        on = links(page)["Seguir sin hacerlo"]
        assert id_token_of(client, made, client.get(on))["acr"] == ONE
        # The decision was about this request, and this session.
        assert client.get(on.replace("state=a-state", "state=b-state")).status_code == 200


def test_going_on_without_it_ends_although_a_new_sign_in_was_asked_for(
    client: FlaskClient, without: Person, made: NewClient
) -> None:
    a_code(client, made)
    away = authorize(client, made, acr_values=TWO, prompt="login", max_age="0")
    with clock.shifted(timedelta(seconds=3)):
        run, password = str(without.run), "una clave de prueba"
        entered = client.post("/sign-in", data={"run": run, "password": password, "next": following(away)})
        page = client.get(entered.location)
        assert "code" in answer_of(client.get(links(page)["Seguir sin hacerlo"]))


def test_what_is_essential_leads_back_with_an_error(client: FlaskClient, without: Person, made: NewClient) -> None:
    a_code(client, made)
    page = authorize(client, made, claims=ESSENTIAL)
    assert page.status_code == 200
    answer = answer_of(client.get(links(page)["Volver sin hacerlo"]))
    assert answer["error"] == "unmet_authentication_requirements"
    either = acr_claim(essential=True, values=[TWO, ONE])
    assert "code" in answer_of(authorize(client, made, claims=either))


def test_a_real_person_may_set_it_up_on_the_way(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        person = a_person()
        made = a_client(
            "standard",
            environment="production",
            redirect_uris=["https://app.example.cl/callback"],
            post_logout_redirect_uris=(),
        )
    sign_in(client, person)
    page = authorize(client, made, claims=ESSENTIAL)
    set_up = links(page)["Configurarlo"]
    begun = client.post(set_up, data={"password": "una clave de prueba"})
    secret = secret_shown(client.get(begun.location))
    done = client.post(begun.location, data={"code": code_of(secret)})
    back = links(done)["Ya los guardé"]
    assert id_token_of(client, made, agree(client, client.get(back)))["acr"] == TWO


def test_a_pushed_request_is_stepped_up_too(client: FlaskClient, person: Person, made: NewClient) -> None:
    asked = show(client, made, request_uri=a_request_uri(client, made, acr_values=TWO))
    assert id_token_of(client, made, step_up(client, asked))["acr"] == TWO


def test_what_the_client_registered_is_a_wish(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        strict = a_client("standard", options={"default_acr_values": [TWO]})
    assert asks_for_code(authorize(client, strict))


def test_the_page_for_the_code_names_the_application(client: FlaskClient, person: Person, made: NewClient) -> None:
    page = client.get(authorize(client, made, acr_values=TWO).location)
    assert "Trámites de Prueba" in page.text
    assert "http://127.0.0.1:9" in page.headers["Content-Security-Policy"]


def test_another_session_of_the_same_person_is_not_raised(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere, person)
    step_up(client, authorize(client, made, acr_values=TWO))
    assert asks_for_code(authorize(elsewhere, made, acr_values=TWO))
    # A new sign-in with the password alone counts for that alone, though it goes on under the same name.
    sign_in(client, person)
    assert asks_for_code(authorize(client, made, acr_values=TWO))
