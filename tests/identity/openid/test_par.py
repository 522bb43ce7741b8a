"""RFC 9126 by the letter: pushed authorization requests, the wrong ones first."""

from datetime import timedelta
from urllib.parse import urlencode

from builders.clients import (
    CALLBACK,
    STATE,
    a_client,
    a_request,
    a_system,
    answer_of,
    authorize,
    basic,
    decide,
    following,
    redeem,
)
from builders.identity import a_person, sign_in
from builders.requests import a_request_uri, agree, push, show
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.actions import NewClient
from identity.openid.authorization.actions import sweep_batch
from identity.openid.models import PushedRequest
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import session

FAULTS: list[tuple[dict[str, str | None], str]] = [
    ({"client_id": None}, "invalid_request"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:anything"}, "invalid_request"),
    ({"request_uri": ""}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"redirect_uri": "https://elsewhere.example/"}, "invalid_request"),
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"scope": "run"}, "invalid_scope"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"resource": "https://elsewhere.example/"}, "invalid_target"),
    ({"claims": "[]"}, "invalid_request"),
    ({"request": "e30.e30."}, "invalid_request_object"),
    ({"state": "\x00"}, "invalid_request"),
]


def test_a_faulty_request_is_refused_when_it_is_pushed(client: FlaskClient, made: NewClient) -> None:
    for change, error in FAULTS:
        response = push(client, made, **change)
        if change == {"client_id": None}:
            # The credentials name the client as well, so this one is told in the header.
            form = {**a_request(made, client_id=None)}
            response = client.post("/openid/par", data=form, headers=basic(made.client.client_id, made.secret))
        assert (response.status_code, response.get_json()["error"]) == (400, error), change
        assert "Location" not in response.headers


def test_the_client_has_to_prove_who_it_is(app: Flask, client: FlaskClient, made: NewClient) -> None:
    assert client.post("/openid/par", data=a_request(made)).status_code == 401
    wrong = {**a_request(made), "client_secret": "wrong"}
    assert client.post("/openid/par", data=wrong).get_json()["error"] == "invalid_client"
    with app.app_context():
        other, system = a_client("standard"), a_system()
    # RFC 9126 2.1: the client_id is that of the client that authenticated.
    response = client.post("/openid/par", data=a_request(made), headers=basic(other.client.client_id, other.secret))
    assert response.get_json()["error"] in ("invalid_request", "invalid_client")
    form = {**a_request(made, client_id=system.client.client_id), "client_secret": system.secret or ""}
    assert client.post("/openid/par", data=form).get_json()["error"] == "unauthorized_client"


def test_only_a_form_by_post_is_a_push(client: FlaskClient, made: NewClient) -> None:
    assert client.get("/openid/par?" + urlencode(a_request(made))).status_code == 405
    assert client.post("/openid/par", json=a_request(made)).status_code == 400
    assert push(client, made, nonce="n" * 70_000).status_code in (400, 413)
    twice = [*a_request(made).items(), ("client_secret", made.secret or ""), ("scope", "openid")]
    body = urlencode(twice)
    response = client.post("/openid/par", data=body, content_type="application/x-www-form-urlencoded")
    assert response.get_json()["error"] == "invalid_request"


def test_what_is_pushed_is_told_as_created_and_leads_to_a_code(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    response = push(client, made)
    assert (response.status_code, set(response.get_json())) == (201, {"request_uri", "expires_in"})
    assert response.headers["Cache-Control"] == "no-cache, no-store"
    told = response.get_json()
    assert told["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert 5 <= told["expires_in"] <= 600
    answer = answer_of(agree(client, show(client, made, request_uri=told["request_uri"])))
    assert (answer["state"], answer["iss"]) == (STATE, "http://localhost/openid")
    assert redeem(client, made, answer["code"]).status_code == 200


def test_both_paths_are_the_same(client: FlaskClient, made: NewClient) -> None:
    form = {**a_request(made), "client_secret": made.secret or ""}
    assert client.post("/openid/par/", data=form).status_code == 201


def test_nothing_beside_the_request_uri_counts(client: FlaskClient, person: Person, made: NewClient) -> None:
    request_uri = a_request_uri(client, made, scope="openid")
    page = show(
        client,
        made,
        request_uri=request_uri,
        redirect_uri="https://elsewhere.example/",
        state="another",
        scope="openid run email",
        prompt="none",
    )
    assert page.status_code == 200
    answer = answer_of(agree(client, page))
    assert answer["state"] == STATE
    assert redeem(client, made, answer["code"]).get_json()["scope"] == "openid"


def test_an_unknown_request_uri_is_never_redirected(client: FlaskClient, person: Person, made: NewClient) -> None:
    known = a_request_uri(client, made)
    for request_uri in (known + "x", known[:-1], "urn:ietf:params:oauth:request_uri:", known.upper(), known + "\x00"):
        parameters = {**a_request(made), "request_uri": request_uri}
        response = client.get("/openid/authorize?" + urlencode(parameters))
        if request_uri != known.upper():
            assert (response.status_code, response.headers.get("Location")) == (400, None), request_uri
        else:
            assert answer_of(response)["error"] == "request_uri_not_supported"


def test_a_request_uri_of_elsewhere_is_not_fetched(client: FlaskClient, made: NewClient) -> None:
    answer = answer_of(authorize(client, made, request_uri="https://elsewhere.example/request"))
    assert (answer["error"], answer["state"]) == ("request_uri_not_supported", STATE)
    assert show(client, made, request_uri="https://elsewhere.example/request").status_code == 400


def test_another_clients_request_uri_is_refused(app: Flask, client: FlaskClient, made: NewClient) -> None:
    with app.app_context():
        other = a_client("standard")
    response = show(client, other, request_uri=a_request_uri(client, made))
    assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_a_request_uri_expires(client: FlaskClient, person: Person, made: NewClient) -> None:
    request_uri = a_request_uri(client, made)
    with clock.shifted(timedelta(seconds=91)):
        response = show(client, made, request_uri=request_uri)
        assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_a_request_uri_leads_to_one_answer(client: FlaskClient, person: Person, made: NewClient) -> None:
    for decision in ("allow", "deny"):
        request_uri = a_request_uri(client, made, prompt="consent")
        page = show(client, made, request_uri=request_uri)
        assert show(client, made, request_uri=request_uri).status_code == 200
        another = show(client, made, request_uri=request_uri)
        answer = answer_of(decide(client, page, decision))
        assert show(client, made, request_uri=request_uri).status_code == 400
        assert decide(client, another, "allow").status_code == 400
        # The same button once more is the same answer.
        assert answer_of(decide(client, page, decision)) == answer


def test_two_answers_at_once_are_one(app: Flask, client: FlaskClient, person: Person, made: NewClient) -> None:
    agree(client, authorize(client, made))
    request_uri = a_request_uri(client, made)
    cookie = client.get_cookie("cordillera_session")
    assert cookie

    def once(browser: FlaskClient) -> int:
        browser.set_cookie("cordillera_session", cookie.value)
        return show(browser, made, request_uri=request_uri).status_code

    assert sorted(at_once(app, [once] * 4)) == [303, 400, 400, 400]


def test_who_takes_a_while_to_sign_in_is_still_in_time(app: Flask, client: FlaskClient, made: NewClient) -> None:
    with app.app_context():
        slow = a_person(is_test_person=True)
    away = show(client, made, request_uri=a_request_uri(client, made))
    for _ in range(2):
        assert "Trámites de Prueba" in away.text
    back = following(away)
    with clock.shifted(timedelta(minutes=5)):
        assert "Trámites de Prueba" in away.text
        sign_in(client, slow)
        assert "code" in answer_of(agree(client, client.get(back)))


def test_nobody_makes_up_the_mark_of_having_begun_in_time(client: FlaskClient, person: Person, made: NewClient) -> None:
    first, second = a_request_uri(client, made, prompt="login"), a_request_uri(client, made, prompt="login")
    back = following(show(client, made, request_uri=first))
    with clock.shifted(timedelta(seconds=100)):
        for forged in (
            back.replace(first.split(":")[-1], second.split(":")[-1]),
            back[:-1] + ("1" if back.endswith("0") else "0"),
        ):
            assert client.get(forged).status_code == 400
    with clock.shifted(timedelta(minutes=16)):
        assert client.get(back).status_code == 400


def test_who_must_push_does_nothing_else(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        strict = a_client("standard", options={"require_pushed_authorization_requests": True})
    answer = authorize(client, strict)
    assert answer_of(answer)["error"] == "invalid_request"
    assert answer.headers["Location"].startswith(CALLBACK)
    assert agree(client, show(client, strict, request_uri=a_request_uri(client, strict))).status_code == 303


def test_what_is_kept_cannot_be_read_or_used_by_who_reads_the_table(
    app: Flask, client: FlaskClient, made: NewClient
) -> None:
    request_uri = a_request_uri(client, made)
    with app.app_context():
        row = session().scalars(select(PushedRequest)).one()
        assert STATE.encode() not in row.sealed
        assert request_uri.encode() not in row.uri_hash
        assert made.secret
        assert made.secret.encode() not in row.sealed


def test_old_requests_are_swept(app: Flask, client: FlaskClient, made: NewClient) -> None:
    a_request_uri(client, made)
    with app.app_context(), clock.shifted(timedelta(hours=2)):
        sweep_batch()
        assert session().scalars(select(PushedRequest)).all() == []
