"""The claims parameter (OIDC Core 5.5): what may be asked, what is ignored, what is told and to whom."""

import json

import pytest
from builders.clients import a_client, answer_of, authorize, decide, tokens_for, userinfo
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.openid.rules import MalformedRequest
from identity.openid.tokens.requested_claims import read_claims, scopes_covering, told_by_name
from identity.people.models import Person

REGISTERED = frozenset({"openid", "run", "name", "profile", "email"})

MALFORMED = [
    "x",
    "[]",
    "null",
    '"text"',
    '{"userinfo": []}',
    '{"id_token": "acr"}',
    '{"userinfo": {"email": true}}',
    '{"userinfo": {"email": {"essential": "yes"}}}',
    '{"id_token": {"acr": {"values": "one"}}}',
    '{"id_token": {"acr": {"value": 1}}}',
    '{"id_token": {"sub": {"values": ["a", "b"]}}}',
    '{"id_token": {"sub": {"value": "a"}}, "userinfo": {"sub": {"value": "b"}}}',
    "[" * 3_000,
    '{"userinfo": {"email": null}}' + " " * 5_000,
]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_claims_are_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        read_claims(text, REGISTERED)


def test_what_is_not_understood_or_not_registered_is_ignored() -> None:
    text = json.dumps(
        {
            "userinfo": {"email": {"essential": True}, "shoe_size": None, "given_name": {"colour": "red"}},
            "id_token": {"RolUnico": None, "auth_time": {"essential": True}},
            "other_place": 7,
        }
    )
    read = read_claims(text, {"openid", "email", "profile"})
    assert read.userinfo == ("email", "given_name")
    assert read.id_token == ()
    assert read.scopes == {"email", "profile"}
    assert read.as_row() == {"userinfo": ["email", "given_name"]}
    assert scopes_covering(read.as_row(), REGISTERED) == {"email", "name"}


def test_only_what_was_named_is_told() -> None:
    everything = {"name": "María", "email": "m@example.cl"}
    assert told_by_name({"userinfo": ["email", "given_name"]}, "userinfo", everything) == {"email": "m@example.cl"}
    assert told_by_name({"userinfo": ["email"]}, "id_token", everything) == {}


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", scopes=["openid", "email", "run"])


def test_a_single_claim_is_shown_agreed_to_and_told_in_its_place(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    claims = json.dumps({"userinfo": {"email": None, "name": None}})
    page = authorize(client, made, scope="openid", claims=claims, ui_locales="en")
    assert "your e-mail address" in page.text
    assert "your names" not in page.text
    answer_of(decide(client, page, "allow"))
    told = userinfo(client, tokens_for(client, made, scope="openid", claims=claims)["access_token"]).get_json()
    assert set(told) == {"sub", "email", "email_verified"} or set(told) == {"sub", "email"}
    plain = userinfo(client, tokens_for(client, made, scope="openid")["access_token"]).get_json()
    assert set(plain) == {"sub"}


def test_agreeing_to_less_is_not_agreeing_to_a_claim(client: FlaskClient, person: Person, made: NewClient) -> None:
    answer_of(decide(client, authorize(client, made, scope="openid"), "allow"))
    claims = json.dumps({"userinfo": {"email": {"essential": True}}})
    assert answer_of(authorize(client, made, scope="openid", claims=claims, prompt="none"))["error"] == (
        "consent_required"
    )


def test_what_was_agreed_to_before_is_still_agreed_to_and_shown(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    answer_of(decide(client, authorize(client, made, scope="openid email"), "allow"))
    answer_of(decide(client, authorize(client, made, scope="openid run"), "allow"))
    page = client.get("/account/applications", headers={"Accept-Language": "en"}).text
    assert "your e-mail address" in page
    assert "your RUN" in page
    assert "code" in answer_of(authorize(client, made, scope="openid email", prompt="none"))
    client.post(f"/account/applications/{made.client.client_id}/withdraw")
    answer_of(decide(client, authorize(client, made, scope="openid run"), "allow"))
    answer = answer_of(authorize(client, made, scope="openid email", prompt="none"))
    assert answer["error"] == "consent_required"
