"""FAPI 2.0 Security Profile, clause by clause: what a client of the profile `fapi2` gets, and what is refused to it.

What the tests of DPoP, assertions, certificates and pushed requests show for every client is not shown again.
"""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from builders.clients import CALLBACK, VERIFIER, a_client, basic, s256
from builders.fapi2 import (
    USERINFO,
    Fapi2,
    Form,
    a_fapi2_client,
    asked,
    called,
    entered,
    error_of,
    pushed,
    redeemed,
    shown,
)
from builders.keys import ISSUER, a_key, a_proof, an_assertion, public
from flask import Flask
from flask.testing import FlaskClient

from kernel.base import clock
from kernel.base.errors import Invalid

KEY = a_key()


@pytest.fixture
def made(app: Flask) -> Fapi2:
    with app.app_context():
        return a_fapi2_client(KEY)


# ---- 5.3.2.1 General requirements ----


def test_only_clients_with_keys_or_certificates(app: Flask, context: None) -> None:
    for method in ("none", "client_secret_basic", "client_secret_post", "client_secret"):
        with pytest.raises(Invalid) as refused:
            a_client("fapi2", auth_method=method, jwks=public(KEY))
        assert "FAPI 2.0" in str(refused.value.fields)
    with pytest.raises(Invalid):
        a_client("fapi2")
    with pytest.raises(Invalid):
        a_client("fapi2", jwks=public(KEY), options={"id_token_signed_response_alg": "RS256"})


def test_a_name_or_a_secret_proves_nothing(client: FlaskClient, made: Fapi2) -> None:
    me = made.client.client_id
    form = asked(made) | {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    nameless = {name: value for name, value in form.items() if name != "client_id"}
    for path in ("/openid/par", "/openid/token", "/openid/introspect", "/openid/revoke"):
        for sent, headers in (
            (form, {}),
            (form | {"client_secret": "x"}, {}),
            (form, basic(me, "x")),
            (nameless, {}),
        ):
            response = client.post(path, data=sent, headers=headers)
            assert error_of(response) == (401, "invalid_client"), (path, sent, headers)


def test_no_grant_but_the_code_and_its_refresh(client: FlaskClient, made: Fapi2) -> None:
    for grant_type, error in (
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        ("client_credentials", "unauthorized_client"),
        ("urn:ietf:params:oauth:grant-type:device_code", "unauthorized_client"),
    ):
        form = {"grant_type": grant_type, "username": "ana", "password": "testing", "device_code": "x" * 43}
        assert error_of(called(client, "/openid/token", form, made)) == (400, error)


def test_the_issuer_as_a_text_is_the_only_audience(client: FlaskClient, made: Fapi2) -> None:
    me = made.client.client_id
    for audience in (f"{ISSUER}/par", f"{ISSUER}/token", [ISSUER], [ISSUER, f"{ISSUER}/par"], f"{ISSUER}/", None, ""):
        response = client.post("/openid/par", data=asked(made) | an_assertion(KEY, me, aud=audience))
        assert error_of(response) == (401, "invalid_client"), audience
    assert client.post("/openid/par", data=asked(made) | an_assertion(KEY, me, aud=ISSUER)).status_code == 201


CLOCKS: list[tuple[str, int, bool]] = [
    *((name, seconds, True) for name in ("iat", "nbf") for seconds in (-5, 0, 10)),
    *((name, seconds, False) for name in ("iat", "nbf") for seconds in (61, 3600)),
]


def test_clocks_may_differ_by_ten_seconds_and_not_by_a_minute(client: FlaskClient, made: Fapi2) -> None:
    me, now = made.client.client_id, int(clock.now().timestamp())
    for name, seconds, is_good in CLOCKS:
        when: dict[str, Any] = {name: now + seconds}
        assertion = an_assertion(KEY, me, **when, exp=now + 3590)
        by_assertion = client.post("/openid/par", data=asked(made) | assertion)
        assert (by_assertion.status_code == 201) == is_good, ("assertion", when)
        proof = a_proof(KEY, url=f"{ISSUER}/par", **when)
        by_proof = client.post("/openid/par", data=asked(made) | an_assertion(KEY, me), headers=proof)
        assert (by_proof.get_json().get("error") != "invalid_dpop_proof") == is_good, ("proof", when)


def test_tokens_are_bound_to_the_key_and_refresh_tokens_stay(client: FlaskClient, made: Fapi2, person: None) -> None:
    first = redeemed(client, made, entered(client, made)["code"]).get_json()
    assert first["token_type"] == "DPoP"
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    borne = client.post("/openid/token", data=refresh | an_assertion(KEY, made.client.client_id))
    # RFC 9449 5: no proof is not an invalid one, but a parameter that is missing.
    assert error_of(borne) == (400, "invalid_request")
    # 5.3.2.1 (9): no rotation. Not even twice, and a new key binds what is new.
    for key in (KEY, a_key("RSA"), a_key("OKP")):
        told = called(client, "/openid/token", refresh, made, key)
        assert told.status_code == 200, told.text
        found = told.get_json()
        assert found["token_type"] == "DPoP"
        assert found.get("refresh_token", first["refresh_token"]) == first["refresh_token"]
        assert shown(client, found["access_token"], made, key).status_code == 200
        assert error_of(shown(client, found["access_token"], made, a_key())) == (401, "invalid_token")


def test_a_refresh_may_only_narrow(client: FlaskClient, made: Fapi2, person: None) -> None:
    first = redeemed(client, made, entered(client, made, scope="openid offline_access")["code"]).get_json()
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert error_of(called(client, "/openid/token", refresh | {"scope": "openid name"}, made)) == (400, "invalid_scope")
    assert called(client, "/openid/token", refresh | {"scope": "openid"}, made).get_json()["scope"] == "openid"


# ---- 5.3.2.2 Authorization code flow ----


NOT_PUSHED: list[tuple[Form, str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": "none"}, "unsupported_response_type"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": s256()[:-1]}, "invalid_request"),
    ({"code_challenge": s256() + "="}, "invalid_request"),
    ({"redirect_uri": None}, "invalid_request"),
    ({"redirect_uri": ""}, "invalid_request"),
    ({"redirect_uri": f"{CALLBACK}/"}, "invalid_request"),
    ({"redirect_uri": f"{CALLBACK}?a=b"}, "invalid_request"),
    ({"redirect_uri": CALLBACK.upper()}, "invalid_request"),
    ({"redirect_uri": CALLBACK.replace(":9", ":10")}, "invalid_request"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ({"scope": "openid run"}, "invalid_scope"),
    ({"request": "a.b.c"}, "invalid_request_object"),
]


def test_what_may_not_be_pushed(client: FlaskClient, made: Fapi2) -> None:
    for changed, error in NOT_PUSHED:
        assert error_of(pushed(client, made, **changed)) == (400, error), changed


def test_a_request_lives_minutes_and_its_name_cannot_be_guessed(client: FlaskClient, made: Fapi2) -> None:
    told = [pushed(client, made).get_json() for _ in range(2)]
    assert 5 < told[0]["expires_in"] < 600
    assert told[0]["request_uri"] != told[1]["request_uri"]
    # RFC 9126 2.2: 128 bits at the least.
    assert len(told[0]["request_uri"].rpartition(":")[2]) >= 22


def test_what_is_not_pushed_is_refused_whatever_it_is(client: FlaskClient, made: Fapi2, person: None) -> None:
    for changed in ({}, {"state": "x"}, {"prompt": "none"}, {"max_age": "0"}, {"scope": "openid"}):
        response = client.get(f"/openid/authorize?{urlencode(asked(made) | changed)}")
        told = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
        assert (response.status_code, told["error"], told["iss"]) == (303, "invalid_request", ISSUER)
        assert "code" not in told


def test_every_answer_names_the_issuer(client: FlaskClient, made: Fapi2, person: None) -> None:
    denied = entered(client, made, decision="deny")
    assert (denied["error"], denied["iss"]) == ("access_denied", ISSUER)
    refused = entered(client, made, prompt="none", state="x")
    assert (refused["error"], refused["iss"], refused["state"]) == ("consent_required", ISSUER, "x")
    assert set(entered(client, made)) == {"code", "iss"}


def test_nobody_signed_in_is_told_with_the_issuer(client: FlaskClient, made: Fapi2) -> None:
    refused = entered(client, made, prompt="none")
    assert (refused["error"], refused["iss"]) == ("login_required", ISSUER)


WRONG_CODES: list[tuple[str, Form]] = [
    ("no verifier", {"code_verifier": None}),
    ("another verifier", {"code_verifier": "b" * 43}),
    ("the challenge as verifier", {"code_verifier": s256()}),
    ("a short verifier", {"code_verifier": VERIFIER[:42]}),
    ("another address", {"redirect_uri": f"{CALLBACK}/"}),
    ("another code", {"code": "x" * 43}),
    ("a longer code", {"code": "x" * 2_000}),
]


def test_a_code_comes_with_all_that_belongs_to_it(client: FlaskClient, made: Fapi2, person: None) -> None:
    for why, changed in WRONG_CODES:
        code = entered(client, made)["code"]
        status, error = error_of(redeemed(client, made, **({"code": code} | changed)))  # type: ignore[arg-type]
        assert (status, error in ("invalid_grant", "invalid_request")) == (400, True), why


def test_a_code_works_once_and_for_its_own_client(app: Flask, client: FlaskClient, made: Fapi2, person: None) -> None:
    with app.app_context():
        other = a_fapi2_client(KEY)
    code = entered(client, made)["code"]
    assert error_of(redeemed(client, other, code)) == (400, "invalid_grant")
    first = redeemed(client, made, code).get_json()
    assert shown(client, first["access_token"], made).status_code == 200
    assert error_of(redeemed(client, made, code)) == (400, "invalid_grant")
    # RFC 6749 4.1.2: what the code gave ends with its second use.
    assert error_of(shown(client, first["access_token"], made)) == (401, "invalid_token")
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert error_of(called(client, "/openid/token", refresh, made)) == (400, "invalid_grant")


def test_a_code_lives_a_minute(client: FlaskClient, made: Fapi2, person: None) -> None:
    codes = [entered(client, made)["code"] for _ in range(2)]
    with clock.shifted(timedelta(seconds=50)):
        assert redeemed(client, made, codes[0]).status_code == 200
    with clock.shifted(timedelta(seconds=61)):
        assert error_of(redeemed(client, made, codes[1])) == (400, "invalid_grant")


# ---- 5.3.2.3 OpenID Connect, 5.3.4 resource servers, 5.4 cryptography ----


def test_nonces_of_sixty_four_characters_come_back(client: FlaskClient, made: Fapi2, person: None) -> None:
    nonce = "n" * 64
    found = redeemed(client, made, entered(client, made, nonce=nonce)["code"]).get_json()
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in found["id_token"].split(".")[:2]
    )
    assert (claims["nonce"], claims["iss"], claims["aud"]) == (nonce, ISSUER, made.client.client_id)
    assert header["alg"] in ("PS256", "ES256", "EdDSA")


def test_a_resource_wants_the_token_in_the_header_with_its_proof(
    client: FlaskClient, made: Fapi2, person: None
) -> None:
    token = redeemed(client, made, entered(client, made)["code"]).get_json()["access_token"]
    proof: Callable[..., dict[str, str]] = lambda **claims: a_proof(KEY, "GET", USERINFO, access_token=token, **claims)  # noqa: E731
    for query, headers in (
        (f"?access_token={token}", {}),
        (f"?access_token={token}", proof()),
        ("", {"Authorization": f"Bearer {token}"}),
        ("", {"Authorization": f"Bearer {token}"} | proof()),
        ("", {"Authorization": f"DPoP {token}"}),
        ("", {"Authorization": f"DPoP {token}"} | a_proof(KEY, "GET", USERINFO, access_token="other")),
        ("", {"Authorization": f"DPoP {token}x"} | proof()),
    ):
        response = client.get(f"/openid/userinfo{query}", headers=headers)
        assert response.status_code == 401, (query, headers)
        assert "WWW-Authenticate" in response.headers
    assert client.post("/openid/userinfo", data={"access_token": token}).status_code == 401
    assert shown(client, token, made).status_code == 200
    with clock.shifted(timedelta(hours=1, seconds=1)):
        assert error_of(shown(client, token, made)) == (401, "invalid_token")


def test_only_strong_algorithms_are_offered(client: FlaskClient) -> None:
    told: dict[str, Any] = client.get("/openid/.well-known/openid-configuration").get_json()
    strong = {"PS256", "ES256", "EdDSA", "Ed25519"}
    for name in ("token_endpoint_auth", "dpop", "request_object", "introspection_endpoint_auth"):
        kind = "values" if name == "dpop" else "alg_values"
        found = told.get(f"{name}_signing_{kind}_supported") or told[f"{name}_signing_alg_values_supported"]
        assert set(found) <= strong, name
    assert "none" not in told["id_token_signing_alg_values_supported"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["response_types_supported"] == ["code"]
    assert told["code_challenge_methods_supported"] == ["S256"]
