"""Clients that prove themselves with a key use the direct door too: DPoP, mutual TLS and `private_key_jwt`."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from builders.apps import under_test
from builders.clients import a_client, a_system, basic, tokens_for
from builders.doors import directly, headers_of, said, through_flask
from builders.identity import an_agency
from builders.keys import a_certificate, a_key, a_proof, an_assertion, public
from builders.settings import behind_a_proxy
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.openid.tokens.proofs.dpop import nonce
from identity.people.models import Person
from kernel.base import clock
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app

KEY = a_key()
CERTIFICATE = {"X-Client-Cert": quote(a_certificate(KEY).public_bytes(Encoding.PEM).decode())}
TOKEN, USERINFO = "/openid/token", "/openid/userinfo"
MACHINE = {"grant_type": "client_credentials"}


@pytest.fixture
def behind(settings: Settings) -> Iterator[Flask]:
    """The application behind a proxy that hands certificates over."""
    application = under_test(create_app(behind_a_proxy(settings)))
    with application.app_context():
        an_agency("AE001", "Servicio de Prueba")
    yield application
    ENGINE.of(application).dispose()


def by_dpop(made: NewClient) -> dict[str, Any]:
    return {"data": MACHINE, "headers": basic(made.client.client_id, made.secret) | a_proof(KEY)}


def by_assertion(made: NewClient) -> dict[str, Any]:
    return {"data": MACHINE | an_assertion(KEY, made.client.client_id)}


def by_certificate(made: NewClient) -> dict[str, Any]:
    return {"data": MACHINE | {"client_id": made.client.client_id}, "headers": CERTIFICATE}


METHODS: list[tuple[dict[str, Any], Callable[[NewClient], dict[str, Any]]]] = [
    ({}, by_dpop),
    ({"auth_method": "private_key_jwt", "jwks": public(KEY)}, by_assertion),
    ({"auth_method": "self_signed_tls_client_auth", "jwks": public(KEY)}, by_certificate),
]


@pytest.mark.parametrize(("registered", "asking"), METHODS, ids=["dpop", "private_key_jwt", "certificate"])
def test_a_system_gets_its_token_by_either_door(
    behind: Flask, registered: dict[str, Any], asking: Callable[[NewClient], dict[str, Any]]
) -> None:
    with behind.app_context():
        made = a_system(**registered)
    browser = behind.test_client()
    answers = [door(browser, TOKEN, method="POST", **asking(made)) for door in (directly, through_flask)]
    assert said(answers[0]) == said(answers[1])
    assert headers_of(answers[0]) == headers_of(answers[1])
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json()["token_type"] == ("DPoP" if asking is by_dpop else "Bearer")


def test_a_proof_works_once_whichever_door_it_comes_by(behind: Flask) -> None:
    with behind.app_context():
        made = a_system()
    browser, request = behind.test_client(), by_dpop(made)
    assert directly(browser, TOKEN, method="POST", **request).status_code == 200
    for door in (directly, through_flask):
        assert door(browser, TOKEN, method="POST", **request).get_json()["error"] == "invalid_dpop_proof"


def test_userinfo_asks_for_the_key_of_a_bound_token_at_either_door(
    app: Flask, client: FlaskClient, person: Person
) -> None:
    with app.app_context():
        made = a_client("standard", options={"dpop_bound_access_tokens": True})
    client.environ_base["HTTP_DPOP"] = a_proof(KEY)["DPoP"]
    token = tokens_for(client, made)["access_token"]
    del client.environ_base["HTTP_DPOP"]

    def proven(key: Any, scheme: str = "DPoP") -> dict[str, str]:
        url = "http://localhost/openid/userinfo"
        return {"Authorization": f"{scheme} {token}"} | a_proof(key, "GET", url, access_token=token)

    for door in (directly, through_flask):
        assert door(client, USERINFO, headers=proven(KEY)).status_code == 200
        assert door(client, USERINFO, headers=proven(a_key())).status_code == 401
        assert door(client, USERINFO, headers=proven(KEY, "Bearer")).status_code == 401


def test_the_next_nonce_comes_by_either_door(app: Flask, client: FlaskClient) -> None:
    """RFC 9449 8.2."""
    with app.app_context():
        made = a_system()
        early = nonce(clock.now(), ago=1)
    for door in (directly, through_flask):
        proof = basic(made.client.client_id, made.secret) | a_proof(KEY, nonce=early)
        answer = door(client, TOKEN, method="POST", data=MACHINE, headers=proof)
        assert (answer.status_code, answer.headers["DPoP-Nonce"] != early) == (200, True)
