"""JARM: answers to authorization requests as signed tokens, by the letter."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from builders.clients import STATE, a_client, authorize, decide, redeem
from builders.keys import a_key, public
from builders.requests import ISSUER, agree, posted
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe, jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock


def in_query(response: TestResponse) -> str:
    """The one parameter of the answer."""
    assert response.status_code == 303, response.text
    told = parse_qs(urlsplit(response.headers["Location"]).query)
    # JARM 2.3.1: `response` and nothing else.
    assert list(told) == ["response"]
    return told["response"][0]


def opened(client: FlaskClient, token: str, algorithm: str = "RS256") -> dict[str, Any]:
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    found = jwt.decode(token, keys, algorithms=[algorithm])
    assert found.header["alg"] == algorithm
    return dict(found.claims)


def test_an_error_is_signed_too(client: FlaskClient, made: NewClient) -> None:
    for mode in ("jwt", "query.jwt"):
        token = in_query(authorize(client, made, response_mode=mode, prompt="none"))
        told = opened(client, token)
        assert (told["error"], told["state"], told["iss"]) == ("login_required", STATE, ISSUER)
        assert "code" not in told


def test_a_wrong_request_is_told_in_the_mode_asked_for(client: FlaskClient, made: NewClient) -> None:
    told = opened(client, in_query(authorize(client, made, response_mode="jwt", scope="run")))
    assert told["error"] == "invalid_scope"


def test_the_answer_is_for_the_client_for_a_moment_and_works(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    told = opened(client, in_query(agree(client, authorize(client, made, response_mode="jwt"))))
    # JARM 2.1
    assert set(told) == {"iss", "aud", "exp", "code", "state"}
    assert (told["iss"], told["aud"], told["state"]) == (ISSUER, made.client.client_id, STATE)
    assert 0 < told["exp"] - clock.now().timestamp() <= 600
    assert redeem(client, made, told["code"]).status_code == 200


def test_it_travels_as_asked(client: FlaskClient, person: Person, made: NewClient) -> None:
    fragment = agree(client, authorize(client, made, response_mode="fragment.jwt"))
    parts = urlsplit(fragment.headers["Location"])
    assert (parts.query, list(parse_qs(parts.fragment))) == ("", ["response"])
    assert opened(client, parse_qs(parts.fragment)["response"][0])["code"]
    form = authorize(client, made, response_mode="form_post.jwt")
    assert list(posted(form)) == ["response"]
    assert opened(client, posted(form)["response"])["state"] == STATE


def test_who_says_no_is_told_so_signed(client: FlaskClient, person: Person, made: NewClient) -> None:
    answer = decide(client, authorize(client, made, response_mode="jwt"), "deny")
    assert opened(client, in_query(answer))["error"] == "access_denied"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "RS256"])
def test_it_is_signed_as_the_client_registered(app: Flask, client: FlaskClient, algorithm: str) -> None:
    with app.app_context():
        made = a_client("standard", options={"authorization_signed_response_alg": algorithm})
    token = in_query(authorize(client, made, response_mode="jwt", prompt="none"))
    assert opened(client, token, algorithm)["error"] == "login_required"


def test_it_is_encrypted_where_the_client_registered_a_key(app: Flask, client: FlaskClient) -> None:
    key = a_key("RSA")
    options = {"authorization_encrypted_response_alg": "RSA-OAEP-256"}
    jwks = {"keys": [{**one, "use": "enc"} for one in public(key)["keys"]]}
    with app.app_context():
        made = a_client("standard", jwks=jwks, options=options)
    token = in_query(authorize(client, made, response_mode="jwt", prompt="none"))
    inside = jwe.decrypt_compact(token, key, algorithms=["RSA-OAEP-256", "A128CBC-HS256"]).plaintext
    assert inside
    assert opened(client, inside.decode())["error"] == "login_required"


def test_discovery_tells_of_it(client: FlaskClient) -> None:
    told = client.get("/openid/.well-known/openid-configuration").get_json()
    assert {"jwt", "query.jwt", "fragment.jwt", "form_post.jwt"} <= set(told["response_modes_supported"])
    assert told["authorization_signing_alg_values_supported"]
    assert told["authorization_encryption_alg_values_supported"]
    assert told["authorization_encryption_enc_values_supported"]
