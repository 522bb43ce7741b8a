"""fapi2-security-profile-final-test-plan: well-behaved clients, authorization requests and the token endpoint.

The name of a module stands in the docstring of its test. JAR and JARM: test_fapi2_message_signing.py.
"""

from datetime import timedelta

import pytest
from builders.clients import CALLBACK, VERIFIER
from builders.conformance import (
    a_redirected_error,
    a_token_answer,
    an_error,
    an_id_token,
    hash_fits,
)
from builders.fapi2 import (
    KEY,
    SCOPES,
    Fapi2,
    a_variant,
    answered,
    asked,
    called,
    entered,
    pushed,
    redeemed,
    shown,
    shown_to,
    the_other,
    type_of,
)
from builders.keys import ISSUER, a_proof
from flask import Flask
from flask.testing import FlaskClient

from kernel.base import clock

REFUSED = ("invalid_request", "invalid_grant", "invalid_client")


# ---- Well-behaved clients ----


@pytest.mark.parametrize(
    "path", ["/openid/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/openid"]
)
def test_discovery_tells_what_the_profile_wants(client: FlaskClient, path: str) -> None:
    """fapi2-security-profile-final-discovery-end-point-verification"""
    told = client.get(path).get_json()
    strong = {"PS256", "ES256", "EdDSA"}
    assert told["issuer"] == ISSUER
    assert strong & set(told["dpop_signing_alg_values_supported"])
    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert strong & set(told["id_token_signing_alg_values_supported"])
    assert strong & set(told["token_endpoint_auth_signing_alg_values_supported"])
    assert strong & set(told["userinfo_signing_alg_values_supported"])
    assert strong & set(told["request_object_signing_alg_values_supported"])
    assert strong & set(told["authorization_signing_alg_values_supported"])
    methods = {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
    assert methods <= set(told["token_endpoint_auth_methods_supported"])
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["pushed_authorization_request_endpoint"].startswith(ISSUER)
    assert told["jwks_uri"].startswith(ISSUER)
    assert {"authorization_code", "refresh_token"} <= set(told["grant_types_supported"])
    assert "code" in told["response_types_supported"]
    assert {"jwt", "query"} <= set(told["response_modes_supported"])


def test_a_sign_in_works_from_the_request_to_the_resource(client: FlaskClient, each: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-happy-flow"""
    told = pushed(client, each, state="a state", nonce="a nonce")
    assert (told.status_code, told.mimetype) == (201, "application/json")
    assert 5 < told.get_json()["expires_in"] < 600
    answer = answered(client, shown_to(client, each, told.get_json()["request_uri"]))
    assert set(answer) == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("a state", ISSUER)
    # EnsureMinimumAuthorizationCodeLength
    assert len(answer["code"]) >= 22
    found = a_token_answer(redeemed(client, each, answer["code"]), type_of(each))
    claims = an_id_token(client, found["id_token"], each.client.client_id, "a nonce")
    assert hash_fits(claims, found["access_token"])
    seen = shown(client, found["access_token"], each)
    assert (seen.status_code, seen.mimetype) == (200, "application/json")
    assert seen.get_json()["sub"] == claims["sub"]


def test_who_says_no_is_told_to_the_client(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-user-rejects-authentication"""
    told = entered(client, strict, decision="deny", state="a state")
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "a state", ISSUER)
    assert set(told) <= {"error", "error_description", "state", "iss"}


def test_state_and_nonce_may_be_left_out(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-authorization-request-without-state-success, -without-nonce-success"""
    told = entered(client, strict)
    assert set(told) == {"code", "iss"}
    found = a_token_answer(redeemed(client, strict, told["code"]), "DPoP")
    assert "nonce" not in an_id_token(client, found["id_token"], strict.client.client_id)


@pytest.mark.parametrize("name", ["state", "nonce"])
def test_long_values_come_back_whole(client: FlaskClient, strict: Fapi2, person: None, name: str) -> None:
    """fapi2-security-profile-final-ensure-authorization-request-with-long-nonce, -with-long-state: 384 characters"""
    value = "0123456789abcdef" * 24
    told = entered(client, strict, **{name: value})
    if name == "state":
        assert told["state"] == value
    found = a_token_answer(redeemed(client, strict, told["code"]), "DPoP")
    an_id_token(client, found["id_token"], strict.client.client_id, value if name == "nonce" else None)


def test_the_order_of_scopes_means_nothing(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-other-scope-order-succeeds"""
    told = entered(client, strict, scope=" ".join(reversed(SCOPES)))
    found = a_token_answer(redeemed(client, strict, told["code"]), "DPoP")
    assert set(found["scope"].split()) == set(SCOPES)


def test_claims_are_told_one_by_one_and_unknown_ones_ignored(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-test-claims-parameter-identity-claims"""
    claims = (
        '{"userinfo": {"given_name": {"essential": true}, "family_name": null, "name": {"value": "X"}, "http:x": {}},'
        ' "id_token": {"name": {"essential": true}, "unheard_of": {"values": ["a"]}}, "elsewhere": {"a": null}}'
    )
    told = entered(client, strict, claims=claims, scope="openid")
    found = a_token_answer(redeemed(client, strict, told["code"]), "DPoP")
    assert an_id_token(client, found["id_token"], strict.client.client_id)["name"]
    seen = shown(client, found["access_token"], strict).get_json()
    assert seen["given_name"]
    assert seen["family_name"]
    assert "unheard_of" not in seen


@pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "private_key_jwt+mtls"])
def test_the_scheme_of_a_token_is_read_in_any_case(app: Flask, client: FlaskClient, person: None, variant: str) -> None:
    """fapi2-security-profile-final-access-token-type-header-case-sensitivity"""
    strict = a_variant(app, variant)
    token = redeemed(client, strict, entered(client, strict)["code"]).get_json()["access_token"]
    usual = type_of(strict)
    for scheme in (usual.lower(), usual.upper(), usual.swapcase()):
        assert shown(client, token, strict, scheme=scheme).status_code == 200, scheme


# ---- Authorization requests ----


def test_an_address_that_is_not_registered_is_refused(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-registered-redirect-uri, -plain-fapi-tolerate-unregistered-redirect-uri,
    -ensure-redirect-uri-in-authorization-request
    """
    for address in (f"{CALLBACK}/elsewhere", f"{CALLBACK}?a=b", "https://elsewhere.example/callback", None):
        an_error(pushed(client, strict, redirect_uri=address), "invalid_request", "invalid_request_object")


def test_a_request_that_was_not_pushed_is_refused(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails"""
    refused = client.get("/openid/authorize", query_string=asked(strict, state="a state"))
    a_redirected_error(refused, "invalid_request", "invalid_request_object", "access_denied", state="a state")


@pytest.mark.parametrize("response_type", ["code id_token", "token"])
def test_only_codes_are_given(client: FlaskClient, strict: Fapi2, response_type: str) -> None:
    """fapi2-security-profile-final-ensure-response-type-code-id-token-fails, -ensure-response-type-token-fails"""
    refused = pushed(client, strict, response_type=response_type)
    an_error(refused, "unsupported_response_type", "invalid_request", "unauthorized_client")


def test_state_and_nonce_beside_the_pushed_request_count_for_nothing(
    client: FlaskClient, strict: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-ensure-different-nonce-inside-and-outside-request-object, -different-state-…,
    -state-only-outside-request-object-not-used
    """
    for within in ({}, {"state": "inside", "nonce": "inside"}):
        request_uri = pushed(client, strict, **within).get_json()["request_uri"]
        told = answered(client, shown_to(client, strict, request_uri, state="outside", nonce="outside"))
        assert told.get("state") == within.get("state")
        found = a_token_answer(redeemed(client, strict, told["code"]), "DPoP")
        an_id_token(client, found["id_token"], strict.client.client_id, within.get("nonce"))


# ---- The token endpoint ----


def test_the_client_id_beside_the_credentials_must_be_its_own(
    client: FlaskClient, strict: Fapi2, other: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-ensure-client-id-in-token-endpoint"""
    code = entered(client, strict)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    wrong = form | strict.proves_itself() | {"client_id": other.client.client_id}
    an_error(client.post("/openid/token", data=wrong, headers=a_proof(KEY)), "invalid_client", "invalid_request")


def test_a_token_request_shows_what_the_tokens_are_bound_to(client: FlaskClient, each: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-holder-of-key-required"""
    code = entered(client, each)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    bare = each.headers() if each.with_proof else {}
    refused = client.post("/openid/token", data=form | each.proves_itself(), headers=bare)
    an_error(refused, *REFUSED)


def test_a_code_is_its_clients_own(client: FlaskClient, strict: Fapi2, other: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client"""
    an_error(redeemed(client, other, entered(client, strict)["code"]), "invalid_grant")


def test_a_code_used_twice_is_refused_and_ends_what_it_gave(client: FlaskClient, each: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second"""
    code = entered(client, each)["code"]
    found = a_token_answer(redeemed(client, each, code), type_of(each))
    with clock.shifted(timedelta(seconds=1)):
        an_error(redeemed(client, each, code), "invalid_grant")
        assert shown(client, found["access_token"], each).status_code == 401


def test_a_code_ends_after_a_minute(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-attempt-to-use-expired-auth-code"""
    code = entered(client, strict)["code"]
    with clock.shifted(timedelta(seconds=65)):
        an_error(redeemed(client, strict, code), "invalid_grant")


def test_a_refresh_token_is_its_clients_own_and_wants_the_proof(
    app: Flask, client: FlaskClient, each: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-refresh-token"""
    found = a_token_answer(redeemed(client, each, entered(client, each, nonce="a nonce")["code"]), type_of(each))
    form = {"grant_type": "refresh_token", "refresh_token": found["refresh_token"]}
    again = a_token_answer(called(client, "/openid/token", form, each), type_of(each))
    assert again["access_token"] != found["access_token"]
    assert again.get("refresh_token", found["refresh_token"]) == found["refresh_token"]
    first = an_id_token(client, found["id_token"], each.client.client_id, "a nonce")
    # OIDC Core 12.2: it should not have the nonce of the first.
    second = an_id_token(client, again["id_token"], each.client.client_id)
    for name in ("iss", "sub", "aud", "auth_time"):
        assert first[name] == second[name]
    bare = each.headers() if each.with_proof else {}
    an_error(client.post("/openid/token", data=form | each.proves_itself(), headers=bare), *REFUSED)
    with clock.shifted(timedelta(seconds=30)):
        a_token_answer(called(client, "/openid/token", form, each), type_of(each))
    another = the_other(app)
    an_error(called(client, "/openid/token", form, another), "invalid_grant", "invalid_request", "invalid_client")
