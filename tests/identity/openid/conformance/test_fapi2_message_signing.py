"""fapi2-message-signing-final-test-plan: signed requests (JAR), signed answers (JARM), signed introspection.

The suite runs the modules of the security profile again with signed requests and answers; here stand those that are
about the signatures.
"""

from typing import Any

import pytest
from builders.conformance import ISSUER, a_token_answer, an_error, an_id_token
from builders.fapi2 import (
    KEY,
    OTHER_KEY,
    VARIANTS,
    Fapi2,
    a_signed_request,
    a_variant,
    answered,
    asked,
    called,
    redeemed,
    shown,
    shown_to,
    type_of,
)
from builders.keys import a_key
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from kernel.base import clock

SIGNED = {"require_signed_request_object": True}
REFUSED = ("invalid_request", "invalid_request_object")


@pytest.fixture(params=VARIANTS)
def each(app: Flask, request: pytest.FixtureRequest) -> Fapi2:
    """fapi_request_method=signed_non_repudiation"""
    return a_variant(app, request.param, options=SIGNED)


@pytest.fixture
def strict(app: Flask) -> Fapi2:
    return a_variant(app, options=SIGNED)


def pushed(browser: FlaskClient, made: Fapi2, header: dict[str, Any] | None = None, **changed: Any) -> TestResponse:
    """A signed request, with the client_id beside it and nothing else."""
    form = {"client_id": made.client.client_id, "request": a_signed_request(made, header, **changed)}
    return called(browser, "/openid/par", form, made)


def now() -> int:
    return int(clock.now().timestamp())


def signed_answer(browser: FlaskClient, told: dict[str, str], made: Fapi2) -> dict[str, Any]:
    """ExtractJARMFromURLQuery, RejectNonJarmResponsesInUrlQuery, ValidateJARMResponse, FAPI2ValidateJarmSigningAlg,
    ValidateJARMExpRecommendations, ValidateJARMSignatureUsingKid.
    """
    assert set(told) == {"response"}
    keys = KeySet.import_key_set(browser.get("/openid/jwks").get_json())
    opened = jwt.decode(told["response"], keys, algorithms=["ES256", "PS256", "EdDSA"])
    assert opened.header["kid"]
    claims = dict(opened.claims)
    assert (claims["iss"], claims["aud"]) == (ISSUER, made.client.client_id)
    assert 0 < claims["exp"] - now() <= 600
    return claims


def test_a_signed_request_gets_a_signed_answer(client: FlaskClient, each: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-happy-flow, with signed_non_repudiation and jarm"""
    told = pushed(client, each, response_mode="jwt", state="a state", nonce="a nonce")
    assert told.status_code == 201, told.text
    answer = signed_answer(client, answered(client, shown_to(client, each, told.get_json()["request_uri"])), each)
    assert answer["state"] == "a state"
    found = a_token_answer(redeemed(client, each, answer["code"]), type_of(each))
    an_id_token(client, found["id_token"], each.client.client_id, "a nonce")
    assert shown(client, found["access_token"], each).status_code == 200


def test_who_says_no_is_told_to_the_client_signed(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-user-rejects-authentication, with jarm"""
    request_uri = pushed(client, strict, response_mode="jwt", state="a state").get_json()["request_uri"]
    answer = signed_answer(client, answered(client, shown_to(client, strict, request_uri), "deny"), strict)
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")
    assert "code" not in answer


def test_the_issuer_may_be_one_audience_of_several(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-server-accepts-request-object-with-multiple-aud"""
    assert pushed(client, strict, aud=[ISSUER, "https://other1.example.com", "invalid"]).status_code == 201


def test_a_request_of_eight_seconds_ahead_is_good(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted"""
    assert pushed(client, strict, nbf=now() + 8, exp=now() + 300).status_code == 201


def test_both_types_of_a_request_are_good(client: FlaskClient, strict: Fapi2) -> None:
    """SignRequestObject, SignRequestObjectIncludeMediaType: the suite's clients send either"""
    for kind in ("oauth-authz-req+jwt", "JWT", None):
        assert pushed(client, strict, {"typ": kind}).status_code == 201, kind


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "request-object-without-exp": {"exp": None},
    "request-object-without-nbf": {"nbf": None},
    "request-object-without-redirect-uri": {"redirect_uri": None},
    "request-object-with-bad-aud": {"aud": "https://elsewhere.example/"},
    "registered-redirect-uri": {"redirect_uri": "https://elsewhere.example/callback"},
    "par-authorization-request-containing-request_uri": {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
    "pkce-required": {"code_challenge": None, "code_challenge_method": None},
}


@pytest.mark.parametrize("module", WRONG_CLAIMS)
def test_a_wrong_member_is_refused(client: FlaskClient, strict: Fapi2, module: str) -> None:
    """fapi2-security-profile-final-ensure-…-fails: the parameter is the middle of the module's name"""
    an_error(pushed(client, strict, **WRONG_CLAIMS[module]), *REFUSED)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        pytest.param(-600, -300, id="expired-request-object"),
        pytest.param(0, 70 * 60, id="request-object-with-exp-over-60"),
        pytest.param(-70 * 60, 300, id="request-object-with-nbf-over-60"),
    ],
)
def test_a_request_of_too_long_ago_or_for_too_long_is_refused(
    client: FlaskClient, strict: Fapi2, begins: int, ends: int
) -> None:
    """fapi2-security-profile-final-ensure-…-fails: the parameter is the middle of the module's name"""
    an_error(pushed(client, strict, iat=None, nbf=now() + begins, exp=now() + ends), *REFUSED)


def test_a_request_by_rs256_is_refused(app: Flask, client: FlaskClient) -> None:
    """fapi2-security-profile-final-ensure-signed-request-object-with-RS256-fails"""
    made = a_variant(app, key=a_key("RSA"), options=SIGNED)
    an_error(pushed(client, made, {"alg": "RS256"}), *REFUSED)
    assert pushed(client, made).status_code == 201


def test_a_request_that_nobody_signed_is_refused(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-request-object-signature-algorithm-is-not-none,
    -ensure-request-object-with-invalid-signature-fails, -ensure-unsigned-request-at-par-endpoint-fails
    """
    me = strict.client.client_id
    head, body, signature = a_signed_request(strict).split(".")
    for forged in (f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}.{signature[:-8]}AAAAAAAA", f"{head}.{body}."):
        an_error(called(client, "/openid/par", {"client_id": me, "request": forged}, strict), *REFUSED)
    an_error(called(client, "/openid/par", asked(strict), strict), *REFUSED)


def test_a_request_is_signed_with_its_clients_own_key(client: FlaskClient, strict: Fapi2, other: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-matching-key-in-authorization-request"""
    me = strict.client.client_id
    forged = a_signed_request(Fapi2(strict.made, OTHER_KEY))
    an_error(called(client, "/openid/par", {"client_id": me, "request": forged}, strict), *REFUSED)
    # The other's own request does not become this client's by being pushed by it.
    theirs = a_signed_request(other)
    an_error(called(client, "/openid/par", {"client_id": me, "request": theirs}, strict), *REFUSED)


def test_what_stands_beside_a_signed_request_counts_for_nothing(
    client: FlaskClient, strict: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-state-only-outside-request-object-not-used, -ensure-different-nonce-inside-and-…"""
    form = asked(strict, state="outside", nonce="outside", scope="openid") | {
        "request": a_signed_request(strict, nonce="inside")
    }
    told = called(client, "/openid/par", form, strict)
    answer = answered(client, shown_to(client, strict, told.get_json()["request_uri"], state="outside"))
    assert "state" not in answer
    found = a_token_answer(redeemed(client, strict, answer["code"]), "DPoP")
    an_id_token(client, found["id_token"], strict.client.client_id, "inside")
    assert "name" in found["scope"].split()


def test_introspection_is_signed_for_who_asks_so(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """FAPI 2.0 Message Signing 5.5: the suite has no module for it"""
    request_uri = pushed(client, strict).get_json()["request_uri"]
    answer = answered(client, shown_to(client, strict, request_uri))
    token = redeemed(client, strict, answer["code"]).get_json()["access_token"]
    told = client.post(
        "/openid/introspect",
        data={"token": token} | strict.proves_itself(),
        headers={"Accept": "application/token-introspection+jwt"},
    )
    assert told.mimetype == "application/token-introspection+jwt"
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    opened = jwt.decode(told.text, keys, algorithms=["ES256"])
    assert opened.header["typ"] == "token-introspection+jwt"
    assert opened.claims["aud"] == strict.client.client_id
    assert opened.claims["token_introspection"]["active"] is True
    assert opened.claims["token_introspection"]["cnf"] == {"jkt": KEY.thumbprint()}
