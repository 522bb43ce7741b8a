"""Answers that are signed and encrypted as the client registered: ID tokens, userinfo, introspection."""

from typing import Any

import pytest
from builders.clients import a_client, a_code, basic, redeem, tokens_for, userinfo
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from sqlalchemy import text

from identity.clients.registry.actions import NewClient
from identity.openid.rules import left_half_hash
from identity.openid.tokens.tokens import half_hash
from kernel.database.db import engine, session

KEYS: dict[str, ECKey | RSAKey | OKPKey] = {
    "ECDH-ES+A256KW": ECKey.generate_key("P-256", {"use": "enc"}, auto_kid=True),
    "RSA-OAEP-256": RSAKey.generate_key(2048, {"use": "enc"}, auto_kid=True),
    "ECDH-ES": OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True),
}
SIGNING = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)


def a_client_with(app: Flask, *keys: Any, **options: str) -> NewClient:
    jwks = {"keys": [key.as_dict(private=False) for key in (SIGNING, *keys)]}
    with app.app_context():
        return a_client("standard", scopes=["openid", "name"], jwks=jwks, options=options)


@pytest.fixture
def entered(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    return client


def our_keys(client: FlaskClient) -> KeySet:
    return KeySet.import_key_set(client.get("/openid/jwks").get_json())


def decrypted(token: str, algorithm: str, encryption: str) -> str:
    found = jwe.decrypt_compact(token, KEYS[algorithm], algorithms=[algorithm, encryption])
    assert found.protected["cty"] == "JWT"
    assert found.protected["kid"] == KEYS[algorithm].kid
    assert found.plaintext is not None
    return found.plaintext.decode()


@pytest.mark.parametrize("algorithm", KEYS)
def test_an_id_token_is_for_the_clients_eyes_only(app: Flask, entered: FlaskClient, algorithm: str) -> None:
    options = {"id_token_encrypted_response_alg": algorithm, "id_token_encrypted_response_enc": "A256GCM"}
    made = a_client_with(app, KEYS[algorithm], **options)
    given = tokens_for(entered, made, scope="openid")
    assert given["id_token"].count(".") == 4
    inside = decrypted(given["id_token"], algorithm, "A256GCM")
    claims = jwt.decode(inside, our_keys(entered), algorithms=["ES256"]).claims
    assert claims["aud"] == made.client.client_id


def test_without_a_fitting_key_nothing_is_sent_open(app: Flask, entered: FlaskClient) -> None:
    made = a_client_with(app, KEYS["RSA-OAEP-256"], id_token_encrypted_response_alg="RSA-OAEP-256")
    with app.app_context(), engine().begin() as connection:
        connection.execute(text("UPDATE client SET jwks = jsonb_set(jwks, '{keys}', '[]')"))
    answer = redeem(entered, made, a_code(entered, made, scope="openid")).get_json()
    assert answer["error"] == "unauthorized_client"
    assert "id_token" not in answer


def test_a_code_is_not_used_up_for_what_cannot_be_told(app: Flask, entered: FlaskClient) -> None:
    made = a_client_with(app, id_token_encrypted_response_alg="RSA-OAEP-256")
    code = a_code(entered, made, scope="openid")
    assert redeem(entered, made, code).status_code == 400
    with app.app_context():
        assert session().scalar(text("SELECT count(*) FROM authorization_code WHERE redeemed_at IS NULL")) == 1


def test_userinfo_is_signed_where_the_client_wants_it(app: Flask, entered: FlaskClient) -> None:
    for algorithm in ("ES256", "RS256", "EdDSA"):
        made = a_client_with(app, userinfo_signed_response_alg=algorithm)
        response = userinfo(entered, tokens_for(entered, made, scope="openid name")["access_token"])
        assert response.content_type == "application/jwt"
        found = jwt.decode(response.text, our_keys(entered), algorithms=[algorithm])
        assert (found.claims["iss"], found.claims["aud"]) == ("http://localhost/openid", made.client.client_id)
        assert found.claims["given_name"] == "María Carmen"


def test_userinfo_is_encrypted_where_the_client_wants_it(app: Flask, entered: FlaskClient) -> None:
    algorithm = "ECDH-ES+A256KW"
    made = a_client_with(app, KEYS[algorithm], userinfo_encrypted_response_alg=algorithm)
    response = userinfo(entered, tokens_for(entered, made, scope="openid name")["access_token"])
    assert response.content_type == "application/jwt"
    # OIDC Registration 2: the usual enc where the client named none.
    inside = decrypted(response.text, algorithm, "A128CBC-HS256")
    assert jwt.decode(inside, our_keys(entered), algorithms=["ES256"]).claims["given_name"] == "María Carmen"


def test_introspection_is_encrypted_where_the_client_wants_it(app: Flask, entered: FlaskClient) -> None:
    algorithm = "RSA-OAEP-256"
    options = {"introspection_encrypted_response_alg": algorithm, "introspection_encrypted_response_enc": "A256GCM"}
    made = a_client_with(app, KEYS[algorithm], **options)
    token = tokens_for(entered, made, scope="openid")["access_token"]
    headers = basic(made.client.client_id, made.secret) | {"Accept": "application/token-introspection+jwt"}
    response = entered.post("/openid/introspect", data={"token": token}, headers=headers)
    inside = decrypted(response.text, algorithm, "A256GCM")
    said = jwt.decode(inside, our_keys(entered), algorithms=["RS256"]).claims["token_introspection"]
    assert said["active"] is True


def test_an_id_token_is_signed_as_the_client_asks(app: Flask, entered: FlaskClient) -> None:
    for algorithm in ("ES256", "RS256", "EdDSA"):
        made = a_client_with(app, id_token_signed_response_alg=algorithm)
        given = tokens_for(entered, made, scope="openid")
        claims = jwt.decode(given["id_token"], our_keys(entered), algorithms=[algorithm]).claims
        assert claims["at_hash"] == half_hash(given["access_token"], algorithm)


def test_the_hash_of_eddsa_is_the_left_half_of_a_longer_one() -> None:
    assert half_hash("a", "ES256") == left_half_hash("a")
    assert len(half_hash("a", "EdDSA")) == 43
