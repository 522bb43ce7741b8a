"""fapi2-security-profile-final-test-plan: the modules about DPoP."""

from typing import Any

import pytest
from builders.clients import CALLBACK, VERIFIER
from builders.conformance import (
    a_token_answer,
    an_error,
)
from builders.fapi2 import (
    KEY,
    OTHER_KEY,
    USERINFO,
    Fapi2,
    answered,
    asked,
    called,
    entered,
    pushed,
    redeemed,
    shown,
    shown_to,
)
from builders.keys import ISSUER, a_proof, signed
from flask.testing import FlaskClient

from kernel.base import clock


def test_a_proof_may_say_when_it_begins_and_ends(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-check-dpop-proof-nbf-exp"""
    now = int(clock.now().timestamp())
    code = entered(client, strict)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    found = a_token_answer(called(client, "/openid/token", form, strict, nbf=now, exp=now + 300), "DPoP")
    assert shown(client, found["access_token"], strict, nbf=now, exp=now + 300).status_code == 200


@pytest.mark.parametrize("seconds", [-10, 10])
def test_a_proof_of_ten_seconds_ago_or_ahead_is_good(
    client: FlaskClient, strict: Fapi2, person: None, seconds: int
) -> None:
    """fapi2-security-profile-final-ensure-dpop-proof-with-iat-10-seconds-before-succeeds, -after-succeeds"""
    when = int(clock.now().timestamp()) + seconds
    code = entered(client, strict)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    found = a_token_answer(called(client, "/openid/token", form, strict, iat=when), "DPoP")
    assert shown(client, found["access_token"], strict, iat=when).status_code == 200


def jkt(key: Any) -> str:
    return str(key.thumbprint())


def test_a_request_whose_key_is_not_its_proofs_is_refused(client: FlaskClient, strict: Fapi2) -> None:
    """fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails"""
    an_error(pushed(client, strict, dpop_jkt=jkt(OTHER_KEY)), "invalid_request", "invalid_dpop_proof")


def test_a_code_is_worth_nothing_with_another_key_than_its_proofs(
    client: FlaskClient, strict: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt"""
    code = entered(client, strict)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    refused = called(client, "/openid/token", form, strict, OTHER_KEY)
    an_error(refused, "invalid_grant", "invalid_dpop_proof", "invalid_request")


def without_proof(client: FlaskClient, strict: Fapi2, **changed: str) -> dict[str, str]:
    """The browser's answer for a request that was pushed without a proof."""
    told = client.post("/openid/par", data=asked(strict, **changed) | strict.proves_itself()).get_json()
    return answered(client, shown_to(client, strict, told["request_uri"]))


def test_a_code_is_worth_nothing_with_another_key_than_the_one_named(
    client: FlaskClient, strict: Fapi2, person: None
) -> None:
    """fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt"""
    code = without_proof(client, strict, dpop_jkt=jkt(OTHER_KEY))["code"]
    an_error(redeemed(client, strict, code), "invalid_grant", "invalid_dpop_proof", "invalid_request")


def test_a_code_of_a_proof_at_par_works_with_its_key(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-dpop-proof-at-par-endpoint-binding-success"""
    a_token_answer(redeemed(client, strict, entered(client, strict, dpop_jkt=jkt(KEY))["code"]), "DPoP")


def test_a_code_of_a_named_key_works_with_it(client: FlaskClient, strict: Fapi2, person: None) -> None:
    """fapi2-security-profile-final-ensure-dpop-auth-code-binding-success"""
    a_token_answer(redeemed(client, strict, without_proof(client, strict, dpop_jkt=jkt(KEY))["code"]), "DPoP")


@pytest.fixture
def token(client: FlaskClient, strict: Fapi2, person: None) -> str:
    found = redeemed(client, strict, entered(client, strict)["code"]).get_json()
    return str(found["access_token"])


WRONG_PROOFS: list[dict[str, Any]] = [
    {"header": {"typ": None}},
    {"header": {"typ": "dpop"}},
    {"header": {"jwk": None}},
    {"header": {"jwk": KEY.as_dict(private=True)}},
    {"header": {"jwk": OTHER_KEY.as_dict(private=False)}},
    {"jti": None},
    {"htm": None},
    {"htu": None},
    {"iat": None},
    {"ath": None},
    {"htm": "PUT"},
    {"url": f"{ISSUER}/token"},
    {"url": "https://elsewhere.example/openid/userinfo"},
    {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"},
    {"iat": 1},
    {"iat": 2**39},
]


def test_a_wrong_proof_is_refused_at_the_resource(client: FlaskClient, strict: Fapi2, token: str) -> None:
    """fapi2-security-profile-final-dpop-negative-tests: what must be refused"""
    for wrong in WRONG_PROOFS:
        an_error(shown(client, token, strict, **wrong), "invalid_dpop_proof", "invalid_token", status=401)
    an_error(shown(client, token, strict, key=OTHER_KEY), "invalid_token", status=401)
    scheme = {"Authorization": f"DPoP {token}"}
    nonce = client.get("/openid/userinfo", headers=scheme | a_proof(KEY, "GET", USERINFO, access_token=token)).headers[
        "DPoP-Nonce"
    ]
    sound = a_proof(KEY, "GET", USERINFO, access_token=token, nonce=nonce)["DPoP"]
    head, body, signature = sound.split(".")
    # No alg, alg none, a broken signature, a JWT that is none, two proofs in one header.
    bare = signed(KEY, {"htm": "GET"}).split(".")[0]
    for proof in (
        f"{bare}.{body}.{signature}",
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        f"{head}.{body}",
        f"{sound}, {sound}",
        "",
    ):
        refused = client.get("/openid/userinfo", headers=scheme | {"DPoP": proof})
        assert refused.status_code in (400, 401), proof
    # Bearer instead of DPoP, with and without the proof.
    for headers in ({}, {"DPoP": sound}):
        refused = client.get("/openid/userinfo", headers={"Authorization": f"Bearer {token}"} | headers)
        assert refused.status_code == 401


def test_what_means_nothing_in_a_proof_is_ignored_at_the_resource(
    client: FlaskClient, strict: Fapi2, token: str
) -> None:
    """fapi2-security-profile-final-dpop-negative-tests: what must be accepted, and a jti once"""
    for right in (
        {"url": f"{USERINFO}?a=b#c"},
        {"url": "HTTP://LOCALHOST:80/openid/userinfo"},
        {"header": {"extra": "member"}},
        {"extra": {"claim": [1]}},
        {"jti": "only once"},
    ):
        assert shown(client, token, strict, **right).status_code == 200, right
    an_error(shown(client, token, strict, jti="only once"), "invalid_dpop_proof", status=401)
