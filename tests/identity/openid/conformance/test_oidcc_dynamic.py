"""oidcc-dynamic-certification-test-plan: the modules that do not hang on what this provider refuses.

It refuses what every run of that plan begins with: response types beyond `code`, requests fetched from elsewhere, and
assertions signed by RS256. `docs/specifications.md` says why; the modules stand here with `code` and ES256.
"""

import json
from typing import Any

from builders.clients import CALLBACK, STATE, VERIFIER, asks_to_sign_in, s256
from builders.conformance import a_token_answer, an_error, an_error_page, an_id_token, told_in_query
from builders.identity import a_person, sign_in
from builders.keys import ISSUER, Key, a_key, an_assertion, public
from builders.publishing import let_call, publishing
from builders.requests import agree
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from kernel.keys.signatures import rotate_key

KEY = a_key(kid="first")
SOUND: dict[str, Any] = {
    "client_name": "OIDF conformance suite",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "redirect_uris": [CALLBACK],
    "token_endpoint_auth_method": "private_key_jwt",
    "contacts": ["certification@oidf.example"],
    "jwks": public(KEY),
}


def registering(browser: FlaskClient, **changed: Any) -> TestResponse:
    metadata = {name: value for name, value in (SOUND | changed).items() if value is not None}
    return browser.post("/openid/register", json=metadata)


def registered(browser: FlaskClient, **changed: Any) -> dict[str, Any]:
    """EnsureContentTypeJson, EnsureHttpStatusCodeIs201, VerifyClientManagementCredentials,
    VerifyDynamicRegistrationResponseClientCredentials.
    """
    answer = registering(browser, **changed)
    assert (answer.status_code, answer.mimetype) == (201, "application/json"), answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    told: dict[str, Any] = answer.get_json()
    assert told["client_id"]
    assert told["registration_client_uri"].startswith(ISSUER)
    assert told["registration_access_token"]
    # OIDC Registration 3.2: a secret is given to who uses it.
    assert "client_secret" not in told
    return told


def authorize(browser: FlaskClient, client_id: str, **changed: str | None) -> TestResponse:
    sound = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": STATE,
        "nonce": "a-nonce",
        "code_challenge": s256(),
        "code_challenge_method": "S256",
    }
    query = {name: value for name, value in (sound | changed).items() if value is not None}
    return browser.get("/openid/authorize", query_string=query)


def tokens(
    browser: FlaskClient, client_id: str, key: Key = KEY, algorithm: str = "RS256", **changed: str | None
) -> dict[str, Any]:
    """From the request to the ID token, whose claims stand beside it."""
    code = told_in_query(agree(browser, authorize(browser, client_id, **changed)))["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": changed.get("redirect_uri") or CALLBACK,
        "code_verifier": VERIFIER,
    }
    told = a_token_answer(browser.post("/openid/token", data=form | an_assertion(key, client_id)))
    return told | {"claims": an_id_token(browser, told["id_token"], client_id, "a-nonce", algorithm)}


def test_a_client_registers_itself_and_signs_people_in(client: FlaskClient, person: None) -> None:
    """oidcc-server with dynamic_client and private_key_jwt"""
    told = registered(client)
    assert told["id_token_signed_response_alg"] == "RS256"
    tokens(client, told["client_id"])


def test_an_id_token_is_signed_by_rs256_where_asked(client: FlaskClient, person: None) -> None:
    """oidcc-idtoken-rs256"""
    told = registered(client, id_token_signed_response_alg="RS256")
    assert told["id_token_signed_response_alg"] == "RS256"
    tokens(client, told["client_id"], algorithm="RS256")


def test_nobody_registers_for_unsigned_id_tokens(client: FlaskClient) -> None:
    """oidcc-idtoken-unsigned"""
    an_error(registering(client, id_token_signed_response_alg="none"), "invalid_client_metadata")


def test_userinfo_is_signed_where_asked(client: FlaskClient, person: None) -> None:
    """oidcc-userinfo-rs256"""
    told = registered(client, userinfo_signed_response_alg="RS256")
    found = tokens(client, told["client_id"])
    answer = client.get("/openid/userinfo", headers={"Authorization": f"Bearer {found['access_token']}"})
    assert answer.mimetype == "application/jwt"
    opened = jwt.decode(answer.text, KeySet.import_key_set(client.get("/openid/jwks").get_json()), algorithms=["RS256"])
    assert (opened.claims["iss"], opened.claims["aud"]) == (ISSUER, told["client_id"])
    assert opened.claims["sub"] == found["claims"]["sub"]


def test_a_request_says_where_to_return_to_even_if_there_is_one_place(client: FlaskClient) -> None:
    """oidcc-ensure-redirect-uri-in-authorization-request"""
    an_error_page(authorize(client, registered(client)["client_id"], redirect_uri=None))


def test_the_query_of_an_address_is_part_of_it(client: FlaskClient, person: None) -> None:
    """oidcc-redirect-uri-query-OK, oidcc-redirect-uri-query-mismatch, oidcc-redirect-uri-query-added"""
    with_query = f"{CALLBACK}?foo=bar"
    client_id = registered(client, redirect_uris=[with_query])["client_id"]
    told = told_in_query(agree(client, authorize(client, client_id, redirect_uri=with_query)))
    assert (told["foo"], told["state"]) == ("bar", STATE)
    for wrong in (f"{CALLBACK}?bar=foo", f"{with_query}&baz=1", CALLBACK):
        an_error_page(authorize(client, client_id, redirect_uri=wrong))
    an_error_page(authorize(client, registered(client)["client_id"], redirect_uri=with_query))


def test_no_address_has_a_fragment(client: FlaskClient) -> None:
    """oidcc-redirect-uri-regfrag"""
    an_error(registering(client, redirect_uris=[f"{CALLBACK}#foobar"]), "invalid_redirect_uri")


def test_the_person_sees_the_applications_policy_and_terms(app: Flask, client: FlaskClient) -> None:
    """oidcc-registration-policy-uri, oidcc-registration-tos-uri; with logo_uri: the logo is what its owner hands in"""
    told = registered(
        client,
        policy_uri="https://suite.example/policy",
        tos_uri="https://suite.example/terms",
        logo_uri="https://suite.example/logo.png",
    )
    assert told["policy_uri"] == "https://suite.example/policy"
    page = authorize(client, told["client_id"])
    assert asks_to_sign_in(page)
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    page = authorize(client, told["client_id"])
    for address in ("https://suite.example/policy", "https://suite.example/terms"):
        assert f'href="{address}"' in page.text
    # Nothing is loaded from where a client says: it would tell when who signs in where.
    assert "logo.png" not in page.text
    for wrong in ("javascript:alert(1)", "data:text/html,x", "http://suite.example/policy"):
        an_error(registering(client, policy_uri=wrong), "invalid_client_metadata")


def test_keys_may_stand_at_an_address_and_change_there(app: Flask, client: FlaskClient, person: None) -> None:
    """oidcc-registration-jwks-uri, oidcc-refresh-token-rp-key-rotation"""
    new, keys = a_key(kid="second"), [KEY]
    with publishing(lambda: (200, json.dumps(public(*keys)).encode())) as (place, _):
        let_call(app, place)
        told = registered(
            client,
            jwks=None,
            jwks_uri=f"http://{place}/jwks",
            grant_types=["authorization_code", "refresh_token"],
            scope="openid offline_access",
        )
        found = tokens(client, told["client_id"], scope="openid offline_access", prompt="consent")
        keys[:] = [new]
        form = {"grant_type": "refresh_token", "refresh_token": found["refresh_token"]}
        answer = client.post("/openid/token", data=form | an_assertion(new, told["client_id"], {"kid": "second"}))
        a_token_answer(answer)


def test_a_sector_has_to_name_every_address(app: Flask, client: FlaskClient, person: None) -> None:
    """oidcc-registration-sector-uri, oidcc-registration-sector-bad"""
    members = [CALLBACK]
    with publishing(lambda: (200, json.dumps(members).encode())) as (place, _):
        let_call(app, place)
        where = f"http://{place}/sector.json"
        told = registered(client, sector_identifier_uri=where, subject_type="pairwise")
        tokens(client, told["client_id"])
        members[:] = ["https://elsewhere.example/callback"]
        refused = registering(client, sector_identifier_uri=where, subject_type="pairwise")
        an_error(refused, "invalid_client_metadata", "invalid_redirect_uri")


def test_a_new_key_is_published_beside_the_old_one(app: Flask, client: FlaskClient) -> None:
    """oidcc-server-rotate-keys"""
    before = {key["kid"] for key in client.get("/openid/jwks").get_json()["keys"]}
    with app.app_context():
        made = rotate_key("openid", "ES256")
    keys = client.get("/openid/jwks").get_json()["keys"]
    assert {key["kid"] for key in keys} == before | {made.kid}
    KeySet.import_key_set({"keys": keys})


def test_an_assertion_may_name_the_issuer_as_audience(client: FlaskClient) -> None:
    """oidcc-ensure-client-assertion-with-iss-aud-succeeds"""
    client_id = registered(client)["client_id"]
    form = {"grant_type": "authorization_code", "code": "x" * 43, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    for audience in (ISSUER, [ISSUER], f"{ISSUER}/token"):
        answer = client.post("/openid/token", data=form | an_assertion(KEY, client_id, aud=audience))
        an_error(answer, "invalid_grant")
