"""Resource indicators (RFC 8707) and rich authorization requests (RFC 9396) by the letter, the wrong ones first."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from builders import catalogue
from builders.clients import a_client, a_request, answer_of, authorize, decide, redeem
from builders.identity import an_agency
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.actions import NewClient
from identity.openid.models import Grant
from identity.people.models import Person
from identity.ports import agreement_in_force
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as

BASE = "http://localhost"
AGREEMENT = "urn:cordillera:agreement"


@pytest.fixture
def code(app: Flask) -> str:
    """An active agreement of AE002, the consumer, on a service of AE001."""
    with app.app_context():
        for agency in (catalogue.OWNER, catalogue.CONSUMER):
            an_agency(agency.code, agency.name)
        catalogue.with_fakes(app)
        return catalogue.an_agreement().code


@pytest.fixture
def made(app: Flask) -> NewClient:
    """An application of the agency that is the consumer."""
    with app.app_context():
        act_as(Principal(kind="system", id="test"))
        return a_client("standard", owner=f"agency:{catalogue.CONSUMER.code}")


WRONG_RESOURCES = [
    "relative/path",
    "/api/v1",
    "localhost",
    f"{BASE}#fragment",
    f"{BASE}#",
    "https://elsewhere.example/",
    BASE.upper(),
    f"{BASE}/api/v1/../..",
    "urn:cordillera:service:SRV-1:v1",
    "http://[",
    "ñ:x",
    f"{BASE}\x00",
    "x:" + "y" * 3_000,
]


def test_a_resource_that_is_malformed_or_not_known_is_no_target(client: FlaskClient, made: NewClient) -> None:
    for resource in WRONG_RESOURCES:
        assert answer_of(authorize(client, made, resource=resource))["error"] == "invalid_target", resource
    many = [*a_request(made).items(), ("resource", BASE), ("resource", "https://elsewhere.example/")]
    assert answer_of(client.get("/openid/authorize?" + urlencode(many)))["error"] == "invalid_target"


def test_several_resources_are_kept_for_the_token_endpoint(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    wanted = [BASE, f"{BASE}/api/v1", BASE]
    many = [*a_request(made).items(), *(("resource", resource) for resource in wanted)]
    answer_of(decide(client, client.get("/openid/authorize?" + urlencode(many)), "allow"))
    with app.app_context():
        assert session().scalars(select(Grant)).one().resources == [BASE, f"{BASE}/api/v1"]


def details(code: str, **changed: Any) -> str:
    found = {"type": AGREEMENT, "identifier": code, "actions": ["read"]} | changed
    return json.dumps([{name: value for name, value in found.items() if value is not None}])


def test_details_that_are_not_understood_are_refused(client: FlaskClient, made: NewClient, code: str) -> None:
    wrong = [
        "x",
        "{}",
        "[]",
        "[[]]",
        '["text"]',
        "null",
        "[" * 3_000,
        json.dumps(json.loads(details(code)) * 11),
        details(code, type=None),
        details(code, type="urn:unknown"),
        details(code, type=["urn:cordillera:agreement"]),
        details(code, identifier=None),
        details(code, identifier=7),
        details(code, identifier="ACU-2026-999999"),
        details(code, actions=[]),
        details(code, actions=["read", "read"]),
        details(code, actions=["delete"]),
        details(code, colour="red"),
        details(code) + " " * 10_000,
    ]
    for text in wrong:
        answer = answer_of(authorize(client, made, authorization_details=text))
        assert answer["error"] == "invalid_authorization_details", text[:80]


def test_another_agencys_agreement_is_told_like_none(app: Flask, client: FlaskClient, code: str) -> None:
    with app.app_context():
        act_as(Principal(kind="system", id="test"))
        strangers = [a_client("standard"), a_client("standard", owner=f"agency:{catalogue.OWNER.code}")]
    for stranger in strangers:
        known, unknown = (
            answer_of(authorize(client, stranger, authorization_details=details(each)))
            for each in (code, "ACU-2026-999999")
        )
        assert known == unknown
        assert known["error"] == "invalid_authorization_details"


def test_details_are_told_in_plain_words_agreed_to_and_told_to_the_client(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, code: str
) -> None:
    page = authorize(client, made, authorization_details=details(code, actions=["read", "write"]), ui_locales="en")
    agreement = catalogue.a_purpose()
    assert agreement.text in page.text
    assert "consult your data" in page.text
    assert "register or change your data" in page.text
    assert "urn:cordillera" not in page.text.split("</header>")[1].split("<form")[0]
    granted = answer_of(decide(client, page, "allow"))
    told = redeem(client, made, granted["code"]).get_json()
    assert told["authorization_details"] == json.loads(details(code, actions=["read", "write"]))
    caller = {"token": told["access_token"], "client_id": made.client.client_id, "client_secret": made.secret}
    says = client.post("/openid/introspect", data=caller).get_json()
    assert says["authorization_details"] == told["authorization_details"]
    account = client.get("/account/applications", headers={"Accept-Language": "en"})
    assert "On your behalf, it may use:" in account.text
    # The same again is agreed to; anything else is not.
    again = authorize(client, made, authorization_details=details(code, actions=["read", "write"]), prompt="none")
    assert "code" in answer_of(again)
    other = authorize(client, made, authorization_details=details(code), prompt="none")
    assert answer_of(other)["error"] == "consent_required"


def test_the_service_of_the_agreement_is_a_resource(
    app: Flask, client: FlaskClient, person: Person, made: NewClient, code: str
) -> None:
    with app.app_context():
        found = agreement_in_force(code)
        assert found
    assert answer_of(authorize(client, made, resource=found.audience))["error"] == "invalid_target"
    page = authorize(client, made, resource=found.audience, authorization_details=details(code))
    assert "code" in answer_of(decide(client, page, "allow"))


def agreed_code(client: FlaskClient, made: NewClient, code: str, **asked: Any) -> str:
    page = authorize(
        client, made, authorization_details=details(code, **asked), scope="openid offline_access", prompt="consent"
    )
    return answer_of(decide(client, page, "allow"))["code"]


@pytest.fixture
def lasting(app: Flask, made: NewClient) -> NewClient:
    """Another application of the agency, which may come back."""
    with app.app_context():
        act_as(Principal(kind="system", id="test"))
        scopes = ["openid", "offline_access"]
        return a_client("standard", owner=f"agency:{catalogue.CONSUMER.code}", scopes=scopes)


def test_more_than_was_agreed_to_is_refused_and_the_code_stays_good(
    client: FlaskClient, person: Person, lasting: NewClient, code: str
) -> None:
    granted = agreed_code(client, lasting, code)
    wrong = [
        details(code, actions=["write"]),
        details(code, actions=["read", "write"]),
        details("ACU-2026-999999"),
        json.dumps([*json.loads(details(code)), *json.loads(details(code, actions=["write"]))]),
        "[]",
        "x",
        details(code, colour="red"),
        details(code) + " " * 9_990,
    ]
    for text in wrong:
        answer = redeem(client, lasting, granted, authorization_details=text)
        assert answer.status_code == 400
        assert answer.get_json()["error"] in ("invalid_authorization_details", "invalid_request"), text[:80]
    assert redeem(client, lasting, granted).status_code == 200


def test_nobody_learns_of_another_clients_code_by_details(
    client: FlaskClient, person: Person, made: NewClient, lasting: NewClient, code: str
) -> None:
    granted = agreed_code(client, lasting, code)
    answer = redeem(client, made, granted, authorization_details=details(code, actions=["write"]))
    assert answer.get_json()["error"] == "invalid_grant"


def test_a_token_may_be_for_less_than_was_agreed_to(
    client: FlaskClient, person: Person, lasting: NewClient, code: str
) -> None:
    # RFC 9396 6: where actions are left out, it is about reading.
    for narrow in (details(code), details(code, actions=None)):
        granted = agreed_code(client, lasting, code, actions=["read", "write"])
        told = redeem(client, lasting, granted, authorization_details=narrow).get_json()
        assert told["authorization_details"] == json.loads(narrow)
        assert introspected(client, lasting, told["access_token"])["authorization_details"] == json.loads(narrow)
        form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"], **secret_of(lasting)}
        # The refresh token stands for all that was agreed to.
        whole = client.post("/openid/token", data=form).get_json()
        assert whole["authorization_details"] == json.loads(details(code, actions=["read", "write"]))
        form |= {"refresh_token": whole["refresh_token"], "authorization_details": narrow}
        narrowed = client.post("/openid/token", data=form).get_json()
        assert narrowed["authorization_details"] == json.loads(narrow)
        assert introspected(client, lasting, narrowed["access_token"])["authorization_details"] == json.loads(narrow)


def test_where_nothing_was_agreed_to_nothing_can_be_named(
    client: FlaskClient, person: Person, lasting: NewClient, code: str
) -> None:
    granted = answer_of(decide(client, authorize(client, lasting, scope="openid"), "allow"))["code"]
    answer = redeem(client, lasting, granted, authorization_details=details(code))
    assert answer.get_json()["error"] == "invalid_authorization_details"


def secret_of(made: NewClient) -> dict[str, Any]:
    return {"client_id": made.client.client_id, "client_secret": made.secret}


def introspected(client: FlaskClient, made: NewClient, token: str) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/openid/introspect", data={"token": token, **secret_of(made)}).get_json()
    assert found["active"] is True
    return found
