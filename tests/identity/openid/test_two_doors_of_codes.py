"""A code is exchanged alike by both doors, and never twice."""

from typing import Any
from unittest.mock import patch

import pytest
from builders.clients import VERIFIER, a_client, a_code, basic, token_form, userinfo
from builders.doors import directly, headers_of, said, through_flask
from flask import Flask
from flask.testing import FlaskClient
from psycopg import OperationalError
from sqlalchemy import func, select

from identity.clients.registry.actions import NewClient
from identity.openid.grants import code_actions
from identity.openid.models import AccessToken, Grant
from identity.people.models import Person
from kernel.database.db import session
from kernel.database.direct import Asked, DirectConnection
from kernel.recording.audit import AuditEvent

TOKEN = "/openid/token"
ASKED = {"scope": "openid name offline_access", "claims": '{"id_token": {"email": null}}'}
CLIENTS: list[dict[str, Any]] = [
    {"profile": "clave-unica"},
    {"profile": "standard"},
    {"profile": "standard", "scopes": ["openid", "name", "email", "offline_access"]},
    {"profile": "standard", "options": {"access_token_format": "jwt"}},
    {"profile": "standard", "options": {"id_token_signed_response_alg": "RS256"}},
]


def in_the_form(made: NewClient, code: str) -> dict[str, Any]:
    return {"data": token_form(made, code)}


def in_the_header(made: NewClient, code: str) -> dict[str, Any]:
    return {
        "data": token_form(made, code, client_id=None, client_secret=None),
        "headers": basic(made.client.client_id, made.secret),
    }


def as_the_manual_says(made: NewClient, code: str) -> dict[str, Any]:
    return {"data": token_form(made, code) | {"state": "the one of the authorization request"}}


@pytest.mark.parametrize("options", CLIENTS, ids=str)
@pytest.mark.parametrize("request_with", [in_the_form, in_the_header, as_the_manual_says])
def test_tokens_are_the_same_by_either_door(
    app: Flask, client: FlaskClient, person: Person, options: dict[str, Any], request_with: Any
) -> None:
    with app.app_context():
        made = a_client(**options)
    asked = ASKED if "scopes" in options else {}
    behind, direct = (
        door(client, TOKEN, method="POST", **request_with(made, a_code(client, made, **asked)))
        for door in (through_flask, directly)
    )
    assert (direct.status_code, said(direct)) == (behind.status_code, said(behind)) == (200, said(behind))
    assert headers_of(direct) == headers_of(behind)
    assert userinfo(client, direct.get_json()["access_token"]).status_code == 200


REFUSED: list[dict[str, str]] = [
    {"code": "unknown"},
    {"code": ""},
    {"code": "\x00"},
    {"redirect_uri": "https://elsewhere.cl/"},
    {"redirect_uri": ""},
    {"code_verifier": VERIFIER + "x"},
    {"code_verifier": "too direct"},
    {"code_verifier": ""},
    {"client_secret": "wrong"},
    {"grant_type": "authorization_code "},
]


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_what_is_wrong_is_refused_alike_and_the_code_stays_good(
    client: FlaskClient, person: Person, made: NewClient, change: dict[str, str]
) -> None:
    code = a_code(client, made)
    form = token_form(made, code) | change
    direct, behind = (door(client, TOKEN, method="POST", data=form) for door in (directly, through_flask))
    assert (direct.status_code, said(direct)) == (behind.status_code, said(behind))
    assert direct.status_code in (400, 401)
    assert client.post(TOKEN, data=token_form(made, code)).status_code == 200


UNUSUAL: list[dict[str, Any]] = [
    {"data": {"scope": "openid"}},
    {"data": {"resource": "https://elsewhere.cl/"}},
    {"data": {"authorization_details": "[]"}},
    {"data": {"code_verifier": ""}},
    {"data": {"anything": "else"}},
    {"headers": {"DPoP": "a proof"}},
    {"headers": {"Authorization": "Basic YTpi"}},
    {"query_string": {"code": "another"}},
]


@pytest.mark.parametrize("unusual", UNUSUAL, ids=str)
def test_what_is_unusual_is_answered_alike(
    client: FlaskClient, person: Person, made: NewClient, unusual: dict[str, Any]
) -> None:
    forms = [token_form(made, a_code(client, made)) | unusual.get("data", {}) for _ in range(2)]
    behind, direct = (
        door(client, TOKEN, method="POST", **{**unusual, "data": form})
        for door, form in zip((through_flask, directly), forms, strict=True)
    )
    assert (direct.status_code, said(direct)) == (behind.status_code, said(behind))
    assert headers_of(direct) == headers_of(behind)


@pytest.mark.parametrize("option", ["dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"])
def test_a_client_whose_tokens_are_bound_gets_none_that_are_not(
    app: Flask, client: FlaskClient, person: Person, option: str
) -> None:
    with app.app_context():
        made = a_client("standard", options={option: True})
    refused = directly(client, TOKEN, method="POST", data=token_form(made, a_code(client, made)))
    assert refused.status_code == 400


def test_a_replay_is_recorded_once_and_ends_what_the_code_gave(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    form = token_form(made, a_code(client, made))
    access_token = client.post(TOKEN, data=form).get_json()["access_token"]
    assert client.post(TOKEN, data=form).get_json()["error"] == "invalid_grant"
    assert userinfo(client, access_token).status_code == 401
    with app.app_context():
        replays = select(func.count()).where(AuditEvent.tag == "identity:code:replayed")
        assert session().scalar(replays) == 1


def test_what_fails_after_the_code_was_used_up_is_told_and_not_done_again(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    code, run = a_code(client, made), DirectConnection.run

    def lose_the_answer(line: DirectConnection, *asked: Asked) -> Any:
        run(line, *asked)
        raise OperationalError("the connection was lost")

    with patch.object(DirectConnection, "run", lose_the_answer), patch.object(code_actions, "_refuse_code") as refused:
        answer = client.post(TOKEN, data=token_form(made, code))
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    refused.assert_not_called()
    with app.app_context():
        assert session().scalars(select(Grant.revoked_at)).all() == [None]
        assert session().scalar(select(func.count()).select_from(AccessToken)) == 1
