"""Token exchange (RFC 8693): who may go on with whose token, where to, and for what; nobody gains by it."""

from datetime import timedelta
from typing import Any

import pytest
from builders.clients import a_client, a_code, a_system, basic, machine_token, redeem, tokens_for, userinfo
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select

from identity.clients.registry.actions import NewClient
from identity.clients.token_exchange_policies.actions import allow_exchange, forbid_exchange
from identity.openid.authorization.actions import withdraw_consent
from identity.people.models import Person
from kernel.base import clock
from kernel.base.errors import NotFound
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def portal(app: Flask) -> NewClient:
    """The application that the person signs in to."""
    with app.app_context():
        scopes = ["openid", "run", "name", "offline_access"]
        return a_client("standard", name="Portal", scopes=scopes, redirect_uris=["http://127.0.0.1:9/a"])


@pytest.fixture
def register(app: Flask) -> NewClient:
    """The service that the application calls."""
    with app.app_context():
        return a_system("AE002", environment="sandbox")


@pytest.fixture
def archive(app: Flask) -> NewClient:
    """The service that the service calls."""
    with app.app_context():
        return a_system("AE003", environment="sandbox")


@pytest.fixture
def allowed(app: Flask, portal: NewClient, register: NewClient) -> None:
    with app.app_context():
        allow_exchange(portal.client.client_id, register.client.client_id, ["run", "name"])


def exchange(browser: FlaskClient, made: NewClient, token: str, target: NewClient, **changed: Any) -> dict[str, Any]:
    form = {
        "grant_type": GRANT,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "audience": target.client.client_id,
        **changed,
    }
    data = {name: value for name, value in form.items() if value is not None}
    response = browser.post("/openid/token", data=data, headers=basic(made.client.client_id, made.secret))
    found: dict[str, Any] = response.get_json()
    return found


def claims_of(client: FlaskClient, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    return jwt.decode(token, keys, algorithms=["ES256"]).claims


@pytest.fixture
def token(client: FlaskClient, person: Person, portal: NewClient) -> str:
    return str(tokens_for(client, portal, scope="openid run name")["access_token"])


def test_without_a_policy_nobody_goes_anywhere(
    app: Flask, client: FlaskClient, token: str, portal: NewClient, register: NewClient, archive: NewClient
) -> None:
    assert exchange(client, portal, token, register)["error"] == "invalid_target"
    with app.app_context():
        allow_exchange(register.client.client_id, portal.client.client_id, ["run"])
        allow_exchange(portal.client.client_id, archive.client.client_id, ["run"])
    assert exchange(client, portal, token, register)["error"] == "invalid_target"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"subject_token": None}, "invalid_request"),
    ({"subject_token": "x"}, "invalid_request"),
    ({"subject_token": "a.b.c"}, "invalid_request"),
    ({"subject_token": "x" * 9_000}, "invalid_request"),
    ({"subject_token": ["a", "b"]}, "invalid_request"),
    ({"subject_token_type": None}, "invalid_request"),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
    ({"actor_token": "x"}, "invalid_request"),
    ({"actor_token_type": ACCESS_TOKEN}, "invalid_request"),
    ({"audience": None}, "invalid_target"),
    ({"audience": "nobody"}, "invalid_target"),
    ({"audience": ["a", "b"]}, "invalid_target"),
    ({"audience": "\x00"}, "invalid_target"),
    ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ({"scope": "openid"}, "invalid_scope"),
    ({"scope": "run offline_access"}, "invalid_scope"),
]


@pytest.mark.usefixtures("allowed")
def test_a_wrong_request_gets_nothing(client: FlaskClient, token: str, portal: NewClient, register: NewClient) -> None:
    for change, error in WRONG:
        assert exchange(client, portal, token, register, **change)["error"] == error, change


@pytest.mark.usefixtures("allowed")
def test_only_a_persons_living_access_token_is_a_subject(
    client: FlaskClient, person: Person, portal: NewClient, register: NewClient
) -> None:
    given = tokens_for(client, portal, scope="openid run offline_access")
    system = machine_token(client, register)
    for subject in (given["refresh_token"], given["id_token"], system):
        assert exchange(client, portal, subject, register)["error"] == "invalid_request"
    with clock.shifted(timedelta(hours=2)):
        assert exchange(client, portal, given["access_token"], register)["error"] == "invalid_request"


@pytest.mark.usefixtures("allowed")
def test_who_found_a_token_cannot_go_on_with_it(
    app: Flask, client: FlaskClient, token: str, register: NewClient, archive: NewClient
) -> None:
    with app.app_context():
        allow_exchange(archive.client.client_id, register.client.client_id, ["run", "name"])
        public = a_client("standard", auth_method="none")
    assert exchange(client, archive, token, register)["error"] == "invalid_request"
    form = {"grant_type": GRANT, "client_id": public.client.client_id, "subject_token": token}
    assert client.post("/openid/token", data=form).get_json()["error"] == "unauthorized_client"


@pytest.mark.usefixtures("allowed")
def test_the_new_token_is_for_the_target_and_says_who_acts(
    app: Flask, client: FlaskClient, token: str, person: Person, portal: NewClient, register: NewClient
) -> None:
    answer = exchange(client, portal, token, register)
    assert answer["issued_token_type"] == ACCESS_TOKEN
    assert (answer["token_type"], set(answer["scope"].split())) == ("Bearer", {"run", "name"})
    assert 590 <= answer["expires_in"] <= 600
    assert "refresh_token" not in answer
    claims = claims_of(client, answer["access_token"])
    assert claims["aud"] == f"urn:cordillera:client:{register.client.client_id}"
    assert claims["act"] == {"sub": portal.client.client_id}
    # The target knows the person by a name of its own.
    assert claims["sub"] != userinfo(client, token).get_json()["sub"]
    headers = basic(register.client.client_id, register.secret)
    told = client.post("/openid/introspect", data={"token": answer["access_token"]}, headers=headers).get_json()
    assert (told["active"], told["act"], told["sub"]) == (True, claims["act"], claims["sub"])
    assert userinfo(client, answer["access_token"]).status_code == 401
    with app.app_context():
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:token:exchanged")).one()
        assert (event.actor, event.detail["person"]) == (portal.client.client_id, str(person.id))
        assert event.detail["target"] == register.client.client_id


@pytest.mark.usefixtures("allowed")
def test_the_service_goes_on_with_what_was_meant_for_it(
    app: Flask, client: FlaskClient, token: str, portal: NewClient, register: NewClient, archive: NewClient
) -> None:
    first = exchange(client, portal, token, register)["access_token"]
    assert exchange(client, register, first, archive)["error"] == "invalid_target"
    with app.app_context():
        allow_exchange(register.client.client_id, archive.client.client_id, ["name", "email"])
    resource = f"urn:cordillera:client:{archive.client.client_id}"
    answer = exchange(client, register, first, archive, audience=None, resource=resource)
    claims = claims_of(client, answer["access_token"])
    assert claims["scope"] == "name"
    assert claims["act"] == {"sub": register.client.client_id, "act": {"sub": portal.client.client_id}}
    assert claims["exp"] <= claims_of(client, first)["exp"]


@pytest.mark.usefixtures("allowed")
def test_what_was_exchanged_ends_with_the_sign_in_it_came_from(
    app: Flask, client: FlaskClient, person: Person, token: str, portal: NewClient, register: NewClient
) -> None:
    exchanged = exchange(client, portal, token, register)["access_token"]
    with app.app_context():
        withdraw_consent(person.id, portal.client.client_id)
    headers = basic(register.client.client_id, register.secret)
    told = client.post("/openid/introspect", data={"token": exchanged}, headers=headers).get_json()
    assert told == {"active": False}


def test_a_replayed_code_ends_what_was_exchanged(
    client: FlaskClient, person: Person, portal: NewClient, register: NewClient, allowed: None
) -> None:
    code = a_code(client, portal, scope="openid run")
    given = redeem(client, portal, code).get_json()["access_token"]
    exchanged = exchange(client, portal, given, register)["access_token"]
    redeem(client, portal, code)
    headers = basic(register.client.client_id, register.secret)
    told = client.post("/openid/introspect", data={"token": exchanged}, headers=headers).get_json()
    assert told == {"active": False}


def test_a_policy_is_replaced_and_ended_on_record(
    app: Flask, client: FlaskClient, token: str, portal: NewClient, register: NewClient, allowed: None
) -> None:
    pair = (portal.client.client_id, register.client.client_id)
    with app.app_context():
        allow_exchange(*pair, ["name"])
    assert exchange(client, portal, token, register)["scope"] == "name"
    with app.app_context():
        forbid_exchange(*pair)
        with pytest.raises(NotFound):
            forbid_exchange(*pair)
        with pytest.raises(NotFound):
            allow_exchange(pair[0], "nobody", ["name"])
        tags = session().scalars(select(AuditEvent.tag).where(AuditEvent.tag.like("identity:exchange:%"))).all()
    assert sorted(tags) == ["identity:exchange:allowed", "identity:exchange:allowed", "identity:exchange:forbidden"]
    assert exchange(client, portal, token, register)["error"] == "invalid_target"


def test_made_up_people_never_reach_what_is_in_use(
    app: Flask, client: FlaskClient, token: str, portal: NewClient
) -> None:
    with app.app_context():
        in_use = a_system("AE004")
        allow_exchange(portal.client.client_id, in_use.client.client_id, ["name"])
    assert exchange(client, portal, token, in_use)["error"] == "invalid_target"
