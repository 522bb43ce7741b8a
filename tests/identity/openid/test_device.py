"""Devices without a browser (RFC 8628): wrong askers, wrong codes, impatience, and what the person says."""

import re
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import a_client, a_system, basic, userinfo
from builders.identity import a_person, sign_in
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.grants.device_codes import typed
from identity.people.models import Person
from kernel.base import clock

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICES = {"device_flow": True}
LATER = timedelta(seconds=6)


@pytest.fixture
def television(app: Flask) -> NewClient:
    with app.app_context():
        return a_client(
            "standard",
            name="Televisor",
            auth_method="none",
            scopes=["openid", "name", "offline_access"],
            options=DEVICES,
        )


@pytest.fixture
def device(app: Flask) -> FlaskClient:
    """The other device, with nobody signed in."""
    return app.test_client()


def start(device: FlaskClient, made: NewClient, **form: str) -> TestResponse:
    data = {"client_id": made.client.client_id, "scope": "openid name", **form}
    return device.post("/openid/device_authorization", data=data)


def poll(device: FlaskClient, made: NewClient, device_code: str, **form: str) -> dict[str, Any]:
    data = {"grant_type": GRANT, "client_id": made.client.client_id, "device_code": device_code, **form}
    found: dict[str, Any] = device.post("/openid/token", data=data).get_json()
    return found


def decide(client: FlaskClient, user_code: str, decision: str = "allow") -> TestResponse:
    return client.post("/device/decide", data={"user_code": user_code, "decision": decision})


def test_whoever_signs_in_for_a_device_reads_so_above_the_form(client: FlaskClient, television: NewClient) -> None:
    page = client.get("/device?user_code=BCDF-GHJK", follow_redirects=True)
    assert "Para conectar su dispositivo" in page.text.split("<form")[0]
    again = client.post("/sign-in", data={"run": "1", "password": "x", "next": "/device?user_code=BCDF-GHJK"})
    assert "Para conectar su dispositivo" in again.text
    assert "dispositivo" not in client.get("/sign-in?next=/account").text.split("<form")[0]


def test_who_may_not_have_devices_gets_no_codes(app: Flask, device: FlaskClient, television: NewClient) -> None:
    with app.app_context():
        # Who did not register for it has none either: whoever knows its name could have people let a device in.
        legacy, system, other = a_client("clave-unica"), a_system(), a_client("standard")
    for made in (legacy, system, other):
        response = device.post(
            "/openid/device_authorization",
            data={"scope": "openid"},
            headers=basic(made.client.client_id, made.secret),
        )
        assert (response.status_code, response.get_json()["error"]) == (400, "unauthorized_client")
    response = device.post("/openid/device_authorization", data={"client_id": "nobody", "scope": "openid"})
    assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client")


def test_who_proved_who_they_are_need_not_say_it_again(app: Flask, device: FlaskClient, television: NewClient) -> None:
    """RFC 8628 3.1: `client_id` is required of those who do not authenticate."""
    with app.app_context():
        made = a_client("standard", options=DEVICES)
    proof = basic(made.client.client_id, made.secret)

    def ask(*named: str) -> int:
        form = {"scope": "openid", "client_id": list(named)}
        return device.post("/openid/device_authorization", data=form, headers=proof).status_code

    mine = made.client.client_id
    assert [ask(), ask(mine)] == [200, 200]
    assert [ask(mine, mine), ask(television.client.client_id), ask("nobody")] == [400, 400, 400]
    assert device.post("/openid/device_authorization", data={"scope": "openid"}).status_code == 401


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"scope": ""}, "invalid_scope"),
    ({"scope": "name"}, "invalid_scope"),
    ({"scope": "openid run"}, "invalid_scope"),
    ({"scope": ["openid", "openid"]}, "invalid_request"),
    ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ({"resource": "not a uri"}, "invalid_target"),
]


def test_a_wrong_request_gets_no_codes(device: FlaskClient, television: NewClient) -> None:
    for change, error in WRONG:
        response = start(device, television, **change)
        assert (response.status_code, response.get_json()["error"]) == (400, error), change


def test_the_answer_has_a_code_to_read_and_where_to_type_it(device: FlaskClient, television: NewClient) -> None:
    response = start(device, television)
    told = response.get_json()
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", told["user_code"])
    assert told["verification_uri"] == "http://localhost/device"
    assert told["verification_uri_complete"] == f"http://localhost/device?user_code={told['user_code']}"
    assert (told["expires_in"], told["interval"]) == (600, 5)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("bcdf-ghjk", "BCDFGHJK"),
        (" BCDF GHJK ", "BCDFGHJK"),
        ("BCDFGHJ", None),
        ("BCDFGHJKL", None),
        ("ABCDEFGH", None),
        ("", None),
        ("\x00" * 8, None),
        ("B" * 5_000, None),
    ],
)
def test_a_code_is_read_however_it_was_typed(text: str, code: str | None) -> None:
    assert typed(text) == code


def test_the_page_wants_somebody_signed_in(device: FlaskClient, television: NewClient) -> None:
    code = start(device, television).get_json()["user_code"]
    response = device.get(f"/device?user_code={code}")
    assert response.status_code in (302, 303)
    assert "/sign-in" in response.headers["Location"]
    assert device.post("/device/decide", data={"user_code": code, "decision": "allow"}).status_code != 200


def test_a_link_only_fills_in_the_code(
    client: FlaskClient, person: Person, device: FlaskClient, television: NewClient
) -> None:
    told = start(device, television).get_json()
    page = client.get("/device", query_string={"user_code": told["user_code"]})
    assert page.status_code == 200
    assert told["user_code"] in page.text
    assert poll(device, television, told["device_code"])["error"] == "authorization_pending"


def test_wrong_codes_are_told_and_soon_throttled(client: FlaskClient, person: Person) -> None:
    answers = [client.post("/device", data={"user_code": "BCDF-GHJK"}).status_code for _ in range(7)]
    assert answers[:5] == [422] * 5
    assert answers[5:] == [429] * 2


def test_the_page_says_who_asks_and_the_person_decides(
    client: FlaskClient, person: Person, device: FlaskClient, television: NewClient
) -> None:
    told = start(device, television).get_json()
    page = client.post("/device", data={"user_code": told["user_code"].lower()})
    assert page.status_code == 200
    assert "Televisor" in page.text
    assert told["user_code"] in page.text
    assert decide(client, told["user_code"]).status_code == 200
    tokens = poll(device, television, told["device_code"])
    assert userinfo(device, tokens["access_token"]).get_json()["given_name"] == "María Carmen"
    assert tokens["id_token"]
    assert "refresh_token" not in tokens


def test_who_says_no_is_obeyed(client: FlaskClient, person: Person, device: FlaskClient, television: NewClient) -> None:
    for decision in ("deny", "", "ALLOW"):
        told = start(device, television).get_json()
        assert decide(client, told["user_code"], decision).status_code == 200
        assert poll(device, television, told["device_code"])["error"] == "access_denied"


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def test_nobody_decides_twice(client: FlaskClient, person: Person, device: FlaskClient, television: NewClient) -> None:
    told = start(device, television).get_json()
    denied = decide(client, told["user_code"], "deny").text
    # A button pressed again is told what was decided first.
    assert main_of(decide(client, told["user_code"], "allow").text) == main_of(denied)
    assert poll(device, television, told["device_code"])["error"] == "access_denied"


def test_who_asks_too_often_is_told_to_slow_down(device: FlaskClient, television: NewClient) -> None:
    code = start(device, television).get_json()["device_code"]
    assert poll(device, television, code)["error"] == "authorization_pending"
    assert poll(device, television, code)["error"] == "slow_down"
    with clock.shifted(LATER):
        assert poll(device, television, code)["error"] == "slow_down"
    with clock.shifted(timedelta(seconds=25)):
        assert poll(device, television, code)["error"] == "authorization_pending"


def test_codes_end(client: FlaskClient, person: Person, device: FlaskClient, television: NewClient) -> None:
    told = start(device, television).get_json()
    with clock.shifted(timedelta(minutes=10, seconds=1)):
        assert poll(device, television, told["device_code"])["error"] == "expired_token"
        assert decide(client, told["user_code"]).status_code == 422


def test_a_device_code_works_once_and_a_replay_revokes(
    client: FlaskClient, person: Person, device: FlaskClient, television: NewClient
) -> None:
    told = start(device, television, scope="openid offline_access").get_json()
    decide(client, told["user_code"])
    tokens = poll(device, television, told["device_code"])
    assert tokens["refresh_token"]
    assert poll(device, television, told["device_code"])["error"] == "invalid_grant"
    assert userinfo(device, tokens["access_token"]).status_code == 401


def test_a_device_code_that_many_bring_at_once_gives_tokens_to_one_and_then_to_none(
    app: Flask, client: FlaskClient, person: Person, device: FlaskClient, television: NewClient
) -> None:
    told = start(device, television).get_json()
    decide(client, told["user_code"])
    answers = at_once(app, [lambda browser: poll(browser, television, told["device_code"])] * 6)
    [given] = [answer for answer in answers if "access_token" in answer]
    assert {answer["error"] for answer in answers if answer is not given} <= {"invalid_grant", "slow_down"}
    # RFC 6749 4.1.2, as for any code: it was replayed.
    assert userinfo(device, given["access_token"]).status_code == 401


def test_another_clients_device_code_is_no_good(
    app: Flask, client: FlaskClient, person: Person, device: FlaskClient, television: NewClient
) -> None:
    with app.app_context():
        other = a_client("standard", name="Otra", auth_method="none", options=DEVICES)
    told = start(device, television).get_json()
    decide(client, told["user_code"])
    for code in (told["device_code"], told["user_code"], "x", "\x00", "x" * 5_000):
        assert poll(device, other, code)["error"] in ("invalid_grant", "invalid_request"), code
    assert "access_token" in poll(device, television, told["device_code"])


def test_a_person_of_flesh_does_not_enter_an_application_under_test(
    app: Flask, client: FlaskClient, device: FlaskClient, television: NewClient
) -> None:
    with app.app_context():
        real = a_person()
    sign_in(client, real)
    told = start(device, television).get_json()
    assert client.post("/device", data={"user_code": told["user_code"]}).status_code == 403
    assert decide(client, told["user_code"]).status_code == 403
    assert poll(device, television, told["device_code"])["error"] == "authorization_pending"
