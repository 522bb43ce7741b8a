"""Assertions that the conformance suite of the OpenID Foundation makes of every answer, whatever the module is about.

Each function stands for a sequence of the suite's conditions, which its docstring names.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from identity.openid.rules import left_half_hash
from kernel.base import clock

ISSUER = "http://localhost/openid"
DISCOVERY = "/openid/.well-known/openid-configuration"
IN_DESCRIPTIONS = r"[\x20-\x21\x23-\x5B\x5D-\x7E]+"
SHORTEST_TOKEN = 22
"""128 bits, as base64url writes them."""
MINUTES = 300


def discovered(browser: FlaskClient) -> dict[str, Any]:
    """EnsureDiscoveryEndpointResponseStatusCodeIs200, CheckDiscoveryEndpointReturnedJsonContentType."""
    answer = browser.get(DISCOVERY)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    found: dict[str, Any] = answer.get_json()
    return found


def an_id_token(
    browser: FlaskClient, text: str, client_id: str, nonce: str | None = None, algorithm: str = "ES256"
) -> dict[str, Any]:
    """PerformStandardIdTokenChecks, EnsureIdTokenContainsKid, ValidateIdTokenSignatureUsingKid."""
    opened = jwt.decode(
        text, KeySet.import_key_set(browser.get("/openid/jwks").get_json()), algorithms=["ES256", "RS256"]
    )
    header, claims = opened.header, dict(opened.claims)
    assert header["alg"] == algorithm
    assert header["kid"]
    now = clock.now().timestamp()
    assert claims["iss"] == ISSUER
    assert claims["aud"] in (client_id, [client_id])
    assert claims["exp"] > now
    assert abs(now - claims["iat"]) < MINUTES
    assert claims.get("nbf", now) <= now
    assert claims.get("nonce") == nonce
    assert claims.get("azp", client_id) == client_id
    assert claims["sub"]
    assert claims["sub"].isascii()
    assert len(claims["sub"]) <= 255
    # ValidateIdTokenStandardClaims: what is there is of the right type.
    assert isinstance(claims["auth_time"], int)
    assert claims["auth_time"] <= claims["iat"]
    assert isinstance(claims["acr"], str)
    assert all(isinstance(method, str) for method in claims["amr"])
    return claims


def a_token_answer(answer: TestResponse, token_type: str = "Bearer") -> dict[str, Any]:
    """CheckTokenEndpointHttpStatus200, CheckTokenEndpointReturnedJsonContentType, CheckTokenEndpointCacheHeaders,
    CheckForAccessTokenValue, EnsureMinimumAccessTokenLength, ValidateExpiresIn,
    EnsureRefreshTokenContainsAllowedCharactersOnly.
    """
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    told: dict[str, Any] = answer.get_json()
    assert told["token_type"] == token_type
    assert isinstance(told["expires_in"], int)
    assert told["expires_in"] > 0
    for name in ("access_token", "refresh_token"):
        if name in told:
            assert re.fullmatch(r"[\x20-\x7E]+", told[name])
            assert len(told[name]) >= SHORTEST_TOKEN
    return told


def hash_fits(claims: dict[str, Any], access_token: str) -> bool:
    """ValidateAtHash."""
    return bool(claims["at_hash"] == left_half_hash(access_token))


def an_error(answer: TestResponse, *errors: str, status: int = 400) -> dict[str, Any]:
    """CheckTokenEndpointHttpStatus400, CheckTokenEndpointReturnedJsonContentType,
    ValidateErrorFromTokenEndpointResponseError, ValidateErrorDescriptionFromTokenEndpointResponseError, and the same
    of PAR; invalid_client comes with 401.
    """
    assert answer.mimetype == "application/json", answer.text
    told: dict[str, Any] = answer.get_json()
    assert told["error"] in errors, told
    assert answer.status_code == (401 if told["error"] == "invalid_client" else status)
    assert set(told) <= {"error", "error_description", "error_uri"}
    assert re.fullmatch(IN_DESCRIPTIONS, told.get("error_description", "-"))
    assert "no-store" in answer.headers["Cache-Control"]
    return told


def told_in_query(answer: TestResponse) -> dict[str, str]:
    """RejectErrorInUrlFragment, RejectAuthCodeInUrlFragment, CheckMatchingCallbackParameters,
    RequireIssInAuthorizationResponse.
    """
    assert answer.status_code in (302, 303), answer.text
    parts = urlsplit(answer.headers["Location"])
    assert parts.fragment == ""
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    told = dict(pairs)
    assert len(told) == len(pairs)
    assert told["iss"] == ISSUER
    return told


def a_redirected_error(answer: TestResponse, *errors: str, state: str | None) -> dict[str, str]:
    """EnsureErrorFromAuthorizationEndpointResponse, CheckStateInAuthorizationResponse,
    CheckForUnexpectedParametersInErrorResponseFromAuthorizationEndpoint.
    """
    told = told_in_query(answer)
    assert told["error"] in errors, told
    assert told.get("state") == state
    assert set(told) <= {"error", "error_description", "error_uri", "state", "iss"}
    assert re.fullmatch(IN_DESCRIPTIONS, told.get("error_description", "-"))
    return told


def an_error_page(answer: TestResponse) -> None:
    """Expect…ErrorPage: a page of ours that says what is wrong, and no way to the client."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.mimetype == "text/html"
    assert "Location" not in answer.headers
