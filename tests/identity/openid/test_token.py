"""The token endpoint by the letter: authentication, codes, verifiers, refresh families."""

from datetime import timedelta

import pytest
from builders.clients import VERIFIER, a_client, a_code, basic, redeem, token_form, tokens_for, userinfo
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select

from identity.clients.registry.actions import NewClient, revoke_client
from identity.openid.authorization.actions import sweep, withdraw_consent
from identity.openid.models import AccessToken, Grant, RefreshToken
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import ENGINE, session
from kernel.recording.audit import AuditEvent


@pytest.fixture
def offline(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", scopes=["openid", "run", "name", "email", "offline_access"])


OFFLINE = "openid name offline_access"
WRONG_CREDENTIALS: list[dict[str, str | None]] = [
    {"client_secret": None},
    {"client_secret": "wrong"},
    {"client_secret": "\x00"},
    {"client_secret": "x" * 5000},
    {"client_id": "nobody"},
    {"client_id": "\x00"},
    {"client_id": None},
]


def test_a_wrong_client_gets_nothing_and_the_code_stays_good(
    client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    code = a_code(client, legacy)
    for change in WRONG_CREDENTIALS:
        response = redeem(client, legacy, code, **change)
        assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client"), change
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert redeem(client, legacy, code).status_code == 200


BROKEN_HEADERS = [
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic ////",
    "Basic bm9jb2xvbg==",
    "Basic " + "QUFB" * 5000,
    "Bearer abc",
    "Digest username=x",
    "Basic w6k6w7o=",
]


def test_a_broken_authorization_header_is_an_invalid_client(
    client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    form = {"grant_type": "authorization_code", "code": "x"}
    for header in BROKEN_HEADERS:
        response = client.post("/openid/token", data=form, headers={"Authorization": header})
        assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client"), header


def test_two_ways_to_authenticate_are_one_too_many(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    form = token_form(legacy, a_code(client, legacy))
    response = client.post("/openid/token", data=form, headers=basic(legacy.client.client_id, legacy.secret))
    assert (response.status_code, response.get_json()["error"]) == (400, "invalid_request")


def test_the_registered_way_is_the_only_one(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client("standard", auth_method="client_secret_basic")
    code = a_code(client, made)
    assert redeem(client, made, code).get_json()["error"] == "invalid_client"
    form = token_form(made, code, client_secret=None)
    headers = basic(made.client.client_id, made.secret)
    assert client.post("/openid/token", data=form, headers=headers).status_code == 200


def test_a_public_client_shows_its_verifier(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client("standard", auth_method="none")
    assert made.secret is None
    code = a_code(client, made)
    assert redeem(client, made, code, code_verifier=None).get_json()["error"] == "invalid_grant"
    assert redeem(client, made, code).status_code == 200


WRONG_REQUESTS: list[tuple[dict[str, str | None], str]] = [
    ({"grant_type": None}, "invalid_request"),
    ({"grant_type": ""}, "invalid_request"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, "unauthorized_client"),
    ({"code": None}, "invalid_request"),
    ({"code": ""}, "invalid_request"),
    ({"code": "unknown"}, "invalid_grant"),
    ({"code": "\x00"}, "invalid_grant"),
    ({"code": "x" * 5000}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_grant"),
    ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_grant"),
    ({"code_verifier": None}, "invalid_grant"),
    ({"code_verifier": "x" * 42}, "invalid_request"),
    ({"code_verifier": "x" * 129}, "invalid_request"),
    ({"code_verifier": "ñ" * 43}, "invalid_request"),
    ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
]


def test_a_wrong_token_request_is_told_as_json(client: FlaskClient, person: Person, made: NewClient) -> None:
    code = a_code(client, made)
    for change, error in WRONG_REQUESTS:
        form = {name: value for name, value in {**token_form(made, code), **change}.items() if value is not None}
        response = client.post("/openid/token", data=form)
        assert (response.status_code, response.get_json()["error"]) == (400, error), change
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
    assert redeem(client, made, code).status_code == 200


def test_a_verifier_without_a_challenge_is_a_downgrade(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    response = redeem(client, legacy, a_code(client, legacy), code_verifier=VERIFIER)
    assert response.get_json()["error"] == "invalid_grant"


def test_a_parameter_twice_is_refused(client: FlaskClient, person: Person, legacy: NewClient) -> None:
    form = token_form(legacy, a_code(client, legacy))
    response = client.post("/openid/token", data={**form, "code": [form["code"], form["code"]]})
    assert response.get_json()["error"] == "invalid_request"


def test_nothing_of_a_token_request_is_taken_from_the_address(
    client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    form = token_form(legacy, a_code(client, legacy))
    assert client.post("/openid/token", query_string=form).get_json()["error"] == "invalid_request"


def test_another_clients_code_is_no_good_and_is_not_spent(
    app: Flask, client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    with app.app_context():
        other = a_client("clave-unica", name="Otra aplicación")
    code = a_code(client, legacy)
    assert redeem(client, other, code).get_json()["error"] == "invalid_grant"
    assert redeem(client, legacy, code).status_code == 200


def test_a_replayed_code_revokes_what_it_gave_and_is_on_record(
    app: Flask, client: FlaskClient, person: Person, legacy: NewClient
) -> None:
    code = a_code(client, legacy)
    token = redeem(client, legacy, code).get_json()["access_token"]
    assert userinfo(client, token).status_code == 200
    assert redeem(client, legacy, code).get_json()["error"] == "invalid_grant"
    assert userinfo(client, token).status_code == 401
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:code:replayed")).one()
        assert (event.actor, event.detail) == (legacy.client.client_id, {"person": str(person.id)})


def test_neither_codes_nor_tokens_are_in_the_database(
    app: Flask, client: FlaskClient, person: Person, offline: NewClient
) -> None:
    code = a_code(client, offline, scope=OFFLINE)
    answer = redeem(client, offline, code).get_json()
    with app.app_context():
        rows = [session().scalars(select(table)).one() for table in (Grant, AccessToken, RefreshToken)]
        kept = [str({column.key: getattr(row, column.key) for column in row.__table__.columns}) for row in rows]
    for secret in (code, answer["access_token"], answer["refresh_token"]):
        assert not [text for text in kept if secret in text]


def test_withdrawing_consent_ends_every_token(
    app: Flask, client: FlaskClient, person: Person, offline: NewClient
) -> None:
    given = tokens_for(client, offline, scope=OFFLINE)
    with app.app_context():
        withdraw_consent(person.id, offline.client.client_id)
    assert userinfo(client, given["access_token"]).status_code == 401
    assert refresh(client, offline, given["refresh_token"])["error"] == "invalid_grant"


def test_revoking_a_client_ends_everything(app: Flask, client: FlaskClient, person: Person, offline: NewClient) -> None:
    given = tokens_for(client, offline, scope=OFFLINE)
    with app.app_context():
        revoke_client(offline.client.client_id)
    assert userinfo(client, given["access_token"]).status_code == 401
    assert refresh(client, offline, given["refresh_token"])["error"] == "invalid_client"


def test_what_has_ended_is_swept(app: Flask, client: FlaskClient, person: Person, offline: NewClient) -> None:
    tokens_for(client, offline, scope="openid")
    with app.app_context():
        sweep()
        assert session().scalars(select(Grant)).all()
        with clock.shifted(timedelta(days=32)):
            sweep()
        session().expire_all()
        assert not session().scalars(select(Grant)).all()
        assert not session().scalars(select(AccessToken)).all()


def refresh(client: FlaskClient, made: NewClient, token: str, **others: str) -> dict[str, str]:
    form = {"grant_type": "refresh_token", "refresh_token": token, **others}
    found: dict[str, str] = client.post(
        "/openid/token", data=form, headers=basic(made.client.client_id, made.secret)
    ).get_json()
    return found


def test_a_database_that_is_down_is_told_in_oauths_words(app: Flask, client: FlaskClient, made: NewClient) -> None:
    code = "x" * 43
    engine = ENGINE.of(app)
    ENGINE.fill(app, create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none"))
    response = redeem(client, made, code)
    ENGINE.fill(app, engine)
    assert (response.status_code, response.get_json()["error"]) == (503, "temporarily_unavailable")
    assert response.headers["Retry-After"]


def test_a_client_without_a_secret_may_say_its_name_by_an_empty_one(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    with app.app_context():
        public = a_client("standard", auth_method="none")
    form = token_form(public, a_code(client, public), client_id=None, client_secret=None)
    for client_id, secret in ((made.client.client_id, ""), (public.client.client_id, "x"), ("nobody", "")):
        refused = client.post("/openid/token", data=form, headers=basic(client_id, secret))
        assert (refused.status_code, refused.get_json()["error"]) == (401, "invalid_client")
    answer = client.post("/openid/token", data=form, headers=basic(public.client.client_id, ""))
    assert answer.status_code == 200


def test_a_secret_may_come_form_encoded_and_a_scope_with_plus_signs(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    encoded = "".join(f"%{ord(letter):02X}" for letter in str(made.secret))
    form = token_form(made, a_code(client, made), client_id=None, client_secret=None)
    answer = client.post("/openid/token", data=form, headers=basic(made.client.client_id, encoded))
    assert answer.status_code == 200
    token = answer.get_json()["access_token"]
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert client.get("/openid/userinfo", headers={"Authorization": f"{scheme} {token}"}).status_code == 200
    asked = f"/openid/authorize/?response_type=code&client_id={made.client.client_id}&scope=openid+name++email+"
    answered = client.get(asked + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback&state=a%2Bb+c%25&nonce=n")
    # PKCE is missing, and nothing else is wrong.
    assert "error=invalid_request" in str(answered.location)
    assert "state=a%2Bb+c%25" in str(answered.location)


def test_what_a_program_accepts_changes_no_answer(client: FlaskClient, person: Person, made: NewClient) -> None:
    for accept in ("*/*", "text/html", "application/xml", "application/json;q=0.1", ""):
        headers = {"Accept": accept}
        answer = client.post("/openid/token", data=token_form(made, a_code(client, made)), headers=headers)
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        refused = client.post("/openid/token", data={"grant_type": "authorization_code"}, headers=headers)
        assert (refused.status_code, refused.mimetype) == (401, "application/json")
        told = userinfo(client, answer.get_json()["access_token"])
        assert (told.status_code, told.mimetype) == (200, "application/json")
    typed = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    assert client.post("/openid/token/", data=token_form(made, a_code(client, made)), headers=typed).status_code == 200
