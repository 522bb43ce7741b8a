"""Answers that only the client can read (RFC 7516): ID tokens, userinfo and introspection, signed, then encrypted."""

from typing import Any

import pytest
from builders.clients import a_client, a_code, basic, redeem, tokens_for, userinfo
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe, jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from identity.people.models import Person

KEYS: dict[str, Key] = {
    "ECDH-ES+A256KW": ECKey.generate_key("P-256", {"kid": "ec", "use": "enc"}),
    "RSA-OAEP-256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "enc"}),
}
ANSWERS = ("id_token", "userinfo", "introspection")


@pytest.fixture
def person(app: Flask, client: FlaskClient) -> Person:
    with app.app_context():
        made = a_person(is_test_person=True)
    sign_in(client, made)
    return made


def opened(browser: FlaskClient, token: str, algorithm: str) -> dict[str, Any]:
    """The claims inside, if it was encrypted to the client's key and signed by us."""
    assert token.count(".") == 4
    outer = jwe.decrypt_compact(token, KEYS[algorithm], algorithms=[algorithm, "A256GCM"])
    assert outer.headers()["cty"] == "JWT"
    assert outer.plaintext
    ours = KeySet.import_key_set(browser.get("/openid/jwks").get_json())
    claims: dict[str, Any] = jwt.decode(outer.plaintext.decode(), ours, algorithms=["ES256", "RS256"]).claims
    return claims


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_whoever_registered_a_key_gets_answers_for_it_alone(
    app: Flask, client: FlaskClient, person: Person, algorithm: str
) -> None:
    options = {f"{answer}_encrypted_response_alg": algorithm for answer in ANSWERS}
    options |= {f"{answer}_encrypted_response_enc": "A256GCM" for answer in ANSWERS}
    with app.app_context():
        made = a_client("standard", jwks={"keys": [KEYS[algorithm].as_dict(private=False)]}, options=options)
    tokens = tokens_for(client, made)
    subject = opened(client, tokens["id_token"], algorithm)["sub"]
    told = userinfo(client, tokens["access_token"])
    assert told.content_type == "application/jwt"
    assert opened(client, told.text, algorithm)["sub"] == subject
    headers = basic(made.client.client_id, made.secret) | {"Accept": "application/token-introspection+jwt"}
    says = client.post("/openid/introspect", data={"token": tokens["access_token"]}, headers=headers)
    assert opened(client, says.text, algorithm)["token_introspection"]["sub"] == subject


def test_what_was_to_be_secret_is_never_sent_open(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client(
            "standard",
            jwks={"keys": [KEYS["RSA-OAEP-256"].as_dict(private=False)]},
            options={"id_token_encrypted_response_alg": "ECDH-ES"},
        )
    response = redeem(client, made, a_code(client, made))
    assert (response.status_code, set(response.get_json()) & {"id_token", "access_token"}) == (400, set())
