"""oidcc-basic-certification-test-plan and oidcc-config-certification-test-plan, module by module.

The suite sends a `code_challenge` in one module only, so its client is one that registered `pkce_optional`. The name of
a module stands in the docstring of its test.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from builders import clients
from builders.clients import (
    CALLBACK,
    STATE,
    VERIFIER,
    a_client,
    a_request,
    answer_of,
    asks_to_sign_in,
    basic,
    following,
    redeem,
    s256,
    token_form,
)
from builders.conformance import (
    ISSUER,
    a_redirected_error,
    a_token_answer,
    an_error,
    an_error_page,
    an_id_token,
    discovered,
    hash_fits,
    told_in_query,
)
from builders.identity import a_person, sign_in
from builders.keys import a_key, public
from builders.requests import a_request_object, agree
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import KeySet
from sqlalchemy import update
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.clients.registry.models import Client
from identity.people.models import Person
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.database.db import session

WITHOUT = {"pkce_optional": True}
NO_CHALLENGE: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
EVERYTHING = ["openid", "profile", "name", "email", "run", "offline_access"]


@pytest.fixture
def plain(app: Flask) -> NewClient:
    """The suite's client: client_secret_basic, all the scopes there are, and no PKCE."""
    with app.app_context():
        return a_client("standard", auth_method="client_secret_basic", scopes=EVERYTHING, options=WITHOUT)


def authorize(browser: FlaskClient, made: NewClient, **changed: str | None) -> TestResponse:
    return clients.authorize(browser, made, **({**NO_CHALLENGE, **changed} if is_plain(made) else changed))


def is_plain(made: NewClient) -> bool:
    return "pkce_optional" in made.client.options


def entered(browser: FlaskClient, made: NewClient, **changed: str | None) -> dict[str, str]:
    """ValidateSuccessfulAuthCodeFlowResponseFromAuthorizationEndpoint: the code, the state, and the issuer."""
    told = told_in_query(agree(browser, authorize(browser, made, scope=changed.pop("scope", "openid"), **changed)))
    assert set(told) == {"code", "iss"} | ({"state"} if changed.get("state", STATE) else set())
    return told


def redeemed(browser: FlaskClient, made: NewClient, code: str, code_verifier: str | None = None) -> TestResponse:
    form = token_form(made, code, client_id=None, client_secret=None, code_verifier=code_verifier)
    return browser.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret))


def tokens(browser: FlaskClient, made: NewClient, **changed: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """OIDCCServerTest's way through: the answer of the token endpoint, and the claims of the ID token."""
    told = a_token_answer(redeemed(browser, made, entered(browser, made, **changed)["code"]))
    claims = an_id_token(browser, told["id_token"], made.client.client_id, changed.get("nonce", "a-nonce"))
    return told, claims


def userinfo(browser: FlaskClient, token: str, sub: str, how: str = "get") -> dict[str, Any]:
    """EnsureHttpStatusCodeIs200, EnsureContentTypeJson, EnsureUserInfoContainsSub, ValidateUserInfoStandardClaims,
    VerifyUserInfoAndIdTokenInTokenEndpointSameSub.
    """
    bearer = {"Authorization": f"Bearer {token}"}
    answer = {
        "get": lambda: browser.get("/openid/userinfo", headers=bearer),
        "post in the header": lambda: browser.post("/openid/userinfo", headers=bearer),
        "post in the body": lambda: browser.post("/openid/userinfo", data={"access_token": token}),
    }[how]()
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), answer.text
    told: dict[str, Any] = answer.get_json()
    assert told["sub"] == sub
    for name in ("name", "given_name", "family_name", "email"):
        assert isinstance(told.get(name, ""), str)
    assert isinstance(told.get("email_verified", False), bool)
    return told


def test_discovery_tells_what_clients_need(client: FlaskClient) -> None:
    """oidcc-discovery-endpoint-verification"""
    told = discovered(client)
    assert told["issuer"] == ISSUER
    assert "code" in told["response_types_supported"]
    assert set(told["subject_types_supported"]) == {"pairwise", "public"}
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert told["claims_supported"]
    assert "openid" in told["scopes_supported"]
    assert {"authorization_code"} <= set(told["grant_types_supported"])
    # CheckDiscEndpointScopesSupportedSyntax, CheckDiscEndpointLocalesSyntax.
    assert all(scope.isascii() and " " not in scope for scope in told["scopes_supported"])
    assert set(told["ui_locales_supported"]) == {"es", "en"}
    for name in ("request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"):
        assert isinstance(told[name], bool)
    # CheckDiscEndpointAllEndpointsAreHttps: each is where the issuer is, which is https but in tests.
    endpoints = [value for name, value in told.items() if name.endswith("_endpoint") or name == "jwks_uri"]
    assert len(endpoints) >= 9
    assert all(value.startswith(f"{ISSUER}/") for value in endpoints)


def test_the_keys_are_public_and_each_has_a_name(client: FlaskClient) -> None:
    """oidcc-discovery-endpoint-verification: ValidateServerJWKs, CheckDistinctKeyIdValueInServerJWKs"""
    answer = client.get("/openid/jwks")
    keys = answer.get_json()["keys"]
    KeySet.import_key_set({"keys": keys})
    assert {"EC", "RSA", "OKP"} <= {key["kty"] for key in keys}
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
        assert key["use"] in ("sig", "enc")
    assert len({key["kid"] for key in keys}) == len(keys)


def test_a_sign_in_works(client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-server, oidcc-idtoken-signature"""
    told, claims = tokens(client, plain)
    assert hash_fits(claims, told["access_token"])
    assert "refresh_token" not in told


def test_a_challenge_is_held_to_where_there_is_one(client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-ensure-request-with-valid-pkce-succeeds"""
    challenge = {"code_challenge": s256(), "code_challenge_method": "S256"}
    a_token_answer(redeemed(client, plain, entered(client, plain, **challenge)["code"], VERIFIER))
    for wrong in (None, "b" * 43):
        an_error(redeemed(client, plain, entered(client, plain, **challenge)["code"], wrong), "invalid_grant")
    an_error(redeemed(client, plain, entered(client, plain)["code"], VERIFIER), "invalid_grant")


def test_only_who_registered_so_and_has_credentials_does_without(app: Flask, client: FlaskClient) -> None:
    """RFC 9700 2.1.1: what the suite's client does is nobody else's to do"""
    with app.app_context():
        without_credentials = a_client("standard", auth_method="none")
        # It cannot be registered so any more, but it may have been.
        session().connection().execute(update(Client).values(options=WITHOUT))
        session().commit()
        for made in (a_client("standard"), without_credentials):
            answer = clients.authorize(client, made, **NO_CHALLENGE)
            a_redirected_error(answer, "invalid_request", state=STATE)
        with pytest.raises(Invalid):
            a_client("standard", auth_method="none", options=WITHOUT)
        for profile in ("fapi2", "clave-unica"):
            with pytest.raises(Invalid):
                a_client(profile, jwks=public(a_key()) if profile == "fapi2" else None, options=WITHOUT)


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic", "private_key_jwt"])
def test_discovery_names_every_way_to_authenticate(client: FlaskClient, method: str) -> None:
    """oidcc-server-client-secret-post: EnsureServerConfigurationSupportsClientSecretPost"""
    assert method in discovered(client)["token_endpoint_auth_methods_supported"]


def test_the_secret_may_come_in_the_form(app: Flask, client: FlaskClient, person: Person) -> None:
    """oidcc-server-client-secret-post"""
    with app.app_context():
        made = a_client("standard", auth_method="client_secret_post", scopes=EVERYTHING)
    a_token_answer(redeem(client, made, entered(client, made)["code"]))


def test_a_request_without_a_response_type_is_refused(client: FlaskClient, plain: NewClient) -> None:
    """oidcc-response-type-missing"""
    refused = authorize(client, plain, response_type=None)
    a_redirected_error(refused, "invalid_request", "unsupported_response_type", state=STATE)


def test_no_id_token_goes_unsigned(app: Flask, client: FlaskClient) -> None:
    """oidcc-idtoken-unsigned: skipped by the suite where `none` is not offered"""
    told = discovered(client)
    for name, values in told.items():
        if name.endswith("_alg_values_supported"):
            assert "none" not in values, name


@pytest.mark.parametrize("how", ["get", "post in the header", "post in the body"])
def test_userinfo_answers_however_the_token_comes(
    client: FlaskClient, plain: NewClient, person: Person, how: str
) -> None:
    """oidcc-userinfo-get, oidcc-userinfo-post-header, oidcc-userinfo-post-body"""
    told, claims = tokens(client, plain)
    userinfo(client, told["access_token"], claims["sub"], how)


def test_the_nonce_may_be_left_out(client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-ensure-request-without-nonce-succeeds-for-code-flow"""
    tokens(client, plain, nonce=None)


SCOPES = [
    ("openid profile", {"name", "given_name", "family_name"}),
    ("openid email", {"email", "email_verified"}),
    ("openid profile email address phone", {"name", "email"}),
    ("email openid", {"email"}),
]


@pytest.mark.parametrize(("scope", "names"), SCOPES)
def test_the_scopes_say_what_userinfo_tells(
    client: FlaskClient, plain: NewClient, person: Person, scope: str, names: set[str]
) -> None:
    """oidcc-scope-profile, oidcc-scope-email, oidcc-scope-all, oidcc-ensure-other-scope-order-succeeds; and
    oidcc-scope-address and oidcc-scope-phone, which are skipped by the suite where discovery does not name the scope
    """
    told, claims = tokens(client, plain, scope=scope)
    assert names <= set(userinfo(client, told["access_token"], claims["sub"]))
    # OIDC Core 5.4: with a code, what scopes stand for is told at userinfo.
    assert not names & set(claims)
    assert not {"address", "phone"} & set(discovered(client)["scopes_supported"])


IGNORED: list[dict[str, str]] = [
    {"display": "page"},
    {"display": "popup"},
    {"ui_locales": "se"},
    {"claims_locales": "se"},
    {"acr_values": "1 2"},
    {"extra": "foobar"},
    {"login_hint": "buffy@localhost"},
    {"max_age": "10000"},
]


@pytest.mark.parametrize("wish", IGNORED, ids=lambda wish: next(iter(wish)) + "=" + next(iter(wish.values())))
def test_a_wish_that_means_nothing_here_does_no_harm(
    client: FlaskClient, plain: NewClient, person: Person, wish: dict[str, str]
) -> None:
    """oidcc-display-page, oidcc-display-popup, oidcc-ui-locales, oidcc-claims-locales, oidcc-login-hint,
    oidcc-max-age-10000, oidcc-ensure-request-with-acr-values-succeeds,
    oidcc-ensure-request-with-unknown-parameter-succeeds
    """
    _, claims = tokens(client, plain, **wish)
    # CheckIdTokenAuthTimeClaimPresentDueToMaxAge
    assert claims["auth_time"]


@pytest.mark.parametrize("again", [{"prompt": "login"}, {"max_age": "1"}])
def test_a_new_sign_in_is_asked_for_and_its_time_told(
    client: FlaskClient, plain: NewClient, person: Person, again: dict[str, str]
) -> None:
    """oidcc-prompt-login, oidcc-max-age-1"""
    _, first = tokens(client, plain)
    with clock.shifted(timedelta(seconds=2)):
        page = authorize(client, plain, scope="openid", **again)
        assert asks_to_sign_in(page)
        answer = sign_in(client, person, following=following(page))
        told = a_token_answer(redeemed(client, plain, answer_of(agree(client, answer))["code"]))
        second = an_id_token(client, told["id_token"], plain.client.client_id, "a-nonce")
        assert second["auth_time"] > first["auth_time"]
        assert clock.now().timestamp() - second["auth_time"] < 30
    assert second["sub"] == first["sub"]


def test_with_nobody_signed_in_nobody_is_asked(client: FlaskClient, plain: NewClient) -> None:
    """oidcc-prompt-none-not-logged-in"""
    errors = ("login_required", "interaction_required")
    a_redirected_error(authorize(client, plain, prompt="none"), *errors, state=STATE)


def test_with_somebody_signed_in_it_is_the_same_person_and_time(
    client: FlaskClient, plain: NewClient, person: Person
) -> None:
    """oidcc-prompt-none-logged-in, oidcc-id-token-hint"""
    told, first = tokens(client, plain)
    for wish in ({"prompt": "none"}, {"prompt": "none", "id_token_hint": told["id_token"]}):
        answer = told_in_query(authorize(client, plain, scope="openid", **wish))
        again = a_token_answer(redeemed(client, plain, answer["code"]))
        second = an_id_token(client, again["id_token"], plain.client.client_id, "a-nonce")
        assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_code_works_once(client: FlaskClient, plain: NewClient, person: Person, seconds: int) -> None:
    """oidcc-codereuse, oidcc-codereuse-30seconds"""
    code = entered(client, plain)["code"]
    told = a_token_answer(redeemed(client, plain, code))
    with clock.shifted(timedelta(seconds=seconds)):
        an_error(redeemed(client, plain, code), "invalid_grant")
        refused = client.get("/openid/userinfo", headers={"Authorization": f"Bearer {told['access_token']}"})
        assert refused.status_code == 401


def test_an_address_that_is_not_registered_is_never_gone_to(client: FlaskClient, plain: NewClient) -> None:
    """oidcc-ensure-registered-redirect-uri"""
    an_error_page(authorize(client, plain, redirect_uri=f"{CALLBACK}/foobar"))


def test_a_request_may_come_by_post(client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-ensure-post-request-succeeds"""
    answer = client.post("/openid/authorize", data=a_request(plain, scope="openid", **NO_CHALLENGE))
    a_token_answer(redeemed(client, plain, answer_of(agree(client, answer))["code"]))


def test_a_request_of_elsewhere_is_refused_as_unsupported(client: FlaskClient, plain: NewClient) -> None:
    """oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported"""
    refused = authorize(client, plain, request_uri="https://elsewhere.example/request.jwt#abc")
    a_redirected_error(refused, "request_uri_not_supported", state=STATE)
    assert discovered(client)["request_uri_parameter_supported"] is False


def test_the_address_in_the_signed_request_is_the_one_that_counts(
    app: Flask, client: FlaskClient, person: Person
) -> None:
    """oidcc-ensure-request-object-with-redirect-uri, and oidcc-unsigned-request-object-…, which the suite skips where
    discovery does not name `none`: the object is refused then, not passed over
    """
    key = a_key(kid="first")
    with app.app_context():
        made = a_client("standard", jwks=public(key), scopes=EVERYTHING)
    request_object = a_request_object(made, key, scope="openid")
    answer = authorize(client, made, request=request_object, redirect_uri=f"{CALLBACK}/foobar", scope="openid")
    a_token_answer(redeem(client, made, told_in_query(agree(client, answer))["code"]))
    unsigned = f"eyJhbGciOiJub25lIn0.{request_object.split('.')[1]}."
    a_redirected_error(authorize(client, made, request=unsigned), "invalid_request_object", state=STATE)


def test_a_claim_asked_for_at_userinfo_is_told_there(client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-claims-essential"""
    told, claims = tokens(client, plain, claims=json.dumps({"userinfo": {"name": {"essential": True}}}))
    assert "name" not in claims
    assert userinfo(client, told["access_token"], claims["sub"])["name"] == person.name


def test_a_refresh_token_is_its_clients_own(app: Flask, client: FlaskClient, plain: NewClient, person: Person) -> None:
    """oidcc-refresh-token"""
    told, first = tokens(client, plain, scope="openid offline_access", prompt="consent")
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    header = basic(plain.client.client_id, plain.secret)
    again = a_token_answer(client.post("/openid/token", data=form, headers=header))
    second = an_id_token(client, again["id_token"], plain.client.client_id)
    assert again["access_token"] != told["access_token"]
    # CompareIdTokenClaims: OIDC Core 12.2.
    for name in ("iss", "sub", "aud", "auth_time"):
        assert second[name] == first[name]
    assert second["iat"] >= first["iat"]
    with app.app_context():
        other = a_client("standard", auth_method="client_secret_basic", scopes=EVERYTHING)
    form |= {"refresh_token": again["refresh_token"]}
    refused = client.post("/openid/token", data=form, headers=basic(other.client.client_id, other.secret))
    an_error(refused, "invalid_grant")


def test_nobody_but_the_person_asked_for_enters_without_a_word(
    app: Flask, client: FlaskClient, plain: NewClient
) -> None:
    """oidcc-id-token-hint, turned round: the hint of somebody else"""
    with app.app_context():
        first, second = a_person(is_test_person=True), a_person(is_test_person=True)
    sign_in(client, first)
    told, _ = tokens(client, plain)
    sign_in(client, second)
    refused = authorize(client, plain, prompt="none", id_token_hint=told["id_token"], scope="openid")
    a_redirected_error(refused, "login_required", state=STATE)
