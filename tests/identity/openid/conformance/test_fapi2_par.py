"""fapi2-security-profile-final-test-plan: the modules about client authentication, pushed requests and PKCE."""

from datetime import timedelta
from typing import Any

import pytest
from builders.clients import CALLBACK, VERIFIER
from builders.conformance import (
    an_error,
    an_error_page,
    told_in_query,
)
from builders.fapi2 import (
    KEY,
    Fapi2,
    a_variant,
    answered,
    asked,
    entered,
    pushed,
    redeemed,
    shown_to,
)
from builders.identity import a_person, sign_in
from builders.keys import ISSUER, a_key, a_proof, an_assertion
from flask import Flask
from flask.testing import FlaskClient

from kernel.base import clock

# ---- Client authentication ----


def an_assertion_is_refused(client: FlaskClient, strict: Fapi2, assertion: dict[str, str]) -> None:
    """CheckPAREndpointErrorInvalidClient, CheckErrorFromTokenEndpointResponseErrorInvalidClient…: at both endpoints."""
    an_error(client.post("/openid/par", data=asked(strict) | assertion), "invalid_client")
    form = {"grant_type": "authorization_code", "code": "x" * 43, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    an_error(client.post("/openid/token", data=form | assertion, headers=a_proof(KEY)), "invalid_client")


def test_an_assertion_by_rs256_is_refused(app: Flask, client: FlaskClient) -> None:
    """fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails"""
    key = a_key("RSA")
    strict = a_variant(app, key=key)
    an_assertion_is_refused(client, strict, an_assertion(key, strict.client.client_id, {"alg": "RS256"}))
    assert client.post("/openid/par", data=asked(strict) | strict.proves_itself()).status_code == 201


def test_a_wrong_assertion_is_refused(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails, -with-wrong-aud-fails,
    -with-no-sub-fails, -par-…-iat-nbf-over-60-seconds-in-the-future-fails, -par-endpoint-as-array-audience-fails,
    -par-endpoint-as-audience-fails, -par-token-endpoint-as-audience-fails
    """
    me, now = strict.client.client_id, int(clock.now().timestamp())
    wrongs: list[dict[str, Any]] = [
        {"exp": now - 300},
        {"aud": "https://elsewhere.example/"},
        {"sub": None},
        {"iat": now + 65, "nbf": now + 65, "exp": now + 300},
        {"aud": [f"{ISSUER}/par"]},
        {"aud": f"{ISSUER}/par"},
        {"aud": f"{ISSUER}/token"},
    ]
    for wrong in wrongs:
        an_assertion_is_refused(client, strict, an_assertion(KEY, me, **wrong))


def test_an_assertion_of_eight_seconds_ahead_is_good(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-par-ensure-jwt-client-assertion-with-iat-nbf-8-seconds-in-the-future-is-accepted"""
    ahead = int(clock.now().timestamp()) + 8
    assertion = an_assertion(KEY, strict.client.client_id, iat=ahead, nbf=ahead, exp=ahead + 60)
    assert client.post("/openid/par", data=asked(strict) | assertion).status_code == 201


def test_without_an_assertion_there_is_nothing(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint"""
    form = {"grant_type": "authorization_code", "code": entered(client, strict)["code"], "redirect_uri": CALLBACK}
    form |= {"code_verifier": VERIFIER, "client_id": strict.client.client_id}
    an_error(client.post("/openid/token", data=form, headers=a_proof(KEY)), "invalid_client")


# ---- Pushed requests and PKCE ----


def test_a_request_shown_twice_before_signing_in_still_works(app: Flask, client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds"""
    request_uri = pushed(client, strict).get_json()["request_uri"]
    for _ in range(2):
        page = shown_to(client, strict, request_uri)
        assert page.status_code == 200
        assert 'name="password"' in page.text
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    assert answered(client, shown_to(client, strict, request_uri))["code"]


def test_a_request_that_was_answered_is_used_up(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-par-attempt-reuse-request_uri"""
    request_uri = pushed(client, strict).get_json()["request_uri"]
    assert answered(client, shown_to(client, strict, request_uri))["code"]
    an_error_page(shown_to(client, strict, request_uri))


def test_a_request_ends_when_it_was_said(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-par-attempt-to-use-expired-request_uri"""
    told = pushed(client, strict).get_json()
    with clock.shifted(timedelta(seconds=told["expires_in"] + 1)):
        an_error_page(shown_to(client, strict, told["request_uri"]))


def test_a_request_is_its_clients_own(client: FlaskClient, strict: Fapi2, other: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-par-ensure-request-uri-is-bound-to-client"""
    an_error_page(shown_to(client, other, pushed(client, strict).get_json()["request_uri"]))


def test_a_request_uri_cannot_be_pushed(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param"""
    first = pushed(client, strict).get_json()["request_uri"]
    an_error(pushed(client, strict, request_uri=first), "invalid_request")


def test_a_request_is_pushed_by_post_alone(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-par-attempt-invalid-http-method"""
    for method in ("PUT", "GET", "DELETE"):
        refused = client.open("/openid/par", method=method, data=asked(strict) | strict.proves_itself())
        assert refused.status_code == 405, method


def test_pkce_by_s256_is_required(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-par-ensure-pkce-required, -par-ensure-plain-pkce-rejected"""
    an_error(pushed(client, strict, code_challenge=None, code_challenge_method=None), "invalid_request")
    an_error(pushed(client, strict, code_challenge=VERIFIER, code_challenge_method="plain"), "invalid_request")


@pytest.mark.parametrize("verifier", [None, "b" * 43])
def test_a_code_wants_its_verifier(client: FlaskClient, strict: Fapi2, person: None, verifier: str | None) -> None:
    """fapi2-security-profile-final-par-ensure-pkce-code-verifier-required,
    -par-incorrect-pkce-code-verifier-rejected
    """
    refused = redeemed(client, strict, entered(client, strict)["code"], code_verifier=verifier)
    an_error(refused, "invalid_grant", "invalid_request")


def test_the_browser_brings_the_name_of_the_request_and_nothing_else(
    client: FlaskClient, strict: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-par-without-duplicate-parameters"""
    request_uri = pushed(client, strict, state="a state").get_json()["request_uri"]
    assert answered(client, shown_to(client, strict, request_uri))["state"] == "a state"
    silent = pushed(client, strict, prompt="none").get_json()["request_uri"]
    assert told_in_query(shown_to(client, strict, silent))["code"]
