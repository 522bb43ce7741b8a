"""DPoP by the letter of RFC 9449, and a whole sign-in by FAPI 2.0: the wrong cases first."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from builders.clients import (
    CALLBACK,
    VERIFIER,
    a_client,
    a_code,
    a_system,
    answer_of,
    basic,
    decide,
    redeem,
    s256,
    token_form,
)
from builders.identity import an_agency
from builders.keys import ISSUER, TOKEN, a_key, a_proof, an_assertion, public
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.rules import InvalidToken, OAuthProblem
from identity.openid.tokens.bearer import bearer_principal
from identity.openid.tokens.proofs.dpop import UseNonce, nonce
from kernel.base import clock

KEY = a_key()
USERINFO = f"{ISSUER}/userinfo"


def at(seconds: int) -> int:
    return int(clock.now().timestamp()) + seconds


@pytest.fixture
def system(app: Flask, context: None) -> NewClient:
    an_agency("AE001", "Servicio de Prueba")
    return a_system()


def own_token(browser: FlaskClient, made: NewClient, headers: dict[str, str]) -> TestResponse:
    form = {"grant_type": "client_credentials"}
    return browser.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret) | headers)


WRONG: list[tuple[str, Callable[[], dict[str, str]]]] = [
    ("no JWT", lambda: {"DPoP": "proof"}),
    ("nothing", lambda: {"DPoP": ""}),
    ("two proofs", lambda: {"DPoP": f"{a_proof(KEY)['DPoP']}, {a_proof(KEY)['DPoP']}"}),
    ("no type", lambda: a_proof(KEY, header={"typ": None})),
    ("another type", lambda: a_proof(KEY, header={"typ": "JWT"})),
    ("a type that is no text", lambda: a_proof(KEY, header={"typ": ["dpop+jwt"]})),
    ("no key", lambda: a_proof(KEY, header={"jwk": None})),
    ("a key that is no object", lambda: a_proof(KEY, header={"jwk": "key"})),
    ("another key", lambda: a_proof(KEY, header={"jwk": a_key().as_dict(private=False)})),
    ("a private key", lambda: a_proof(KEY, header={"jwk": KEY.as_dict(private=True)})),
    ("a symmetric key", lambda: a_proof(KEY, header={"jwk": OctKey.generate_key().as_dict()})),
    ("a point off the curve", lambda: a_proof(KEY, header={"jwk": {**KEY.as_dict(private=False), "x": "A" * 43}})),
    ("crit", lambda: a_proof(KEY, header={"crit": ["exp"], "exp": 1})),
    ("b64", lambda: a_proof(KEY, header={"b64": False})),
    ("an address of keys", lambda: a_proof(KEY, header={"jku": "https://example.cl/"})),
    ("RS256", lambda: a_proof(a_key("RSA"), header={"alg": "RS256"})),
    ("no method", lambda: a_proof(KEY, htm=None)),
    ("another method", lambda: a_proof(KEY, "GET")),
    ("a method in small letters", lambda: a_proof(KEY, "post")),
    ("no address", lambda: a_proof(KEY, htu=None)),
    ("another address", lambda: a_proof(KEY, url=USERINFO)),
    ("another host", lambda: a_proof(KEY, url="http://elsewhere/openid/token")),
    ("another port", lambda: a_proof(KEY, url="http://localhost:81/openid/token")),
    ("another scheme", lambda: a_proof(KEY, url="https://localhost/openid/token")),
    ("a user in the address", lambda: a_proof(KEY, url="http://ana@localhost/openid/token")),
    ("no address at all", lambda: a_proof(KEY, url="http://[")),
    ("an address that is a number", lambda: a_proof(KEY, htu=7)),
    ("no time", lambda: a_proof(KEY, iat=None)),
    ("a time that is a text", lambda: a_proof(KEY, iat="now")),
    ("a time that is true", lambda: a_proof(KEY, iat=True)),
    ("too old", lambda: a_proof(KEY, iat=at(-130))),
    ("too far ahead", lambda: a_proof(KEY, iat=at(61))),
    ("ended", lambda: a_proof(KEY, exp=at(-1))),
    ("an end that is a text", lambda: a_proof(KEY, exp="soon")),
    ("not valid yet", lambda: a_proof(KEY, nbf=at(61))),
    ("no jti", lambda: a_proof(KEY, jti=None)),
    ("a jti that is a number", lambda: a_proof(KEY, jti=1)),
    ("a jti that is too long", lambda: a_proof(KEY, jti="x" * 201)),
]


def test_proofs_that_are_refused(client: FlaskClient, system: NewClient) -> None:
    for name, make in WRONG:
        response = own_token(client, system, make())
        assert (response.status_code, response.get_json()["error"]) == (400, "invalid_dpop_proof"), name
    response = own_token(client, system, a_proof(KEY, nonce="of-somebody-else"))
    assert (response.status_code, response.get_json()["error"]) == (400, "use_dpop_nonce")
    assert own_token(client, system, a_proof(KEY, nonce=response.headers["DPoP-Nonce"])).status_code == 200


def test_proofs_that_are_accepted(client: FlaskClient, system: NewClient) -> None:
    for proof in (
        a_proof(KEY),
        a_proof(a_key("RSA")),
        a_proof(a_key("OKP")),
        a_proof(KEY, iat=at(10)),
        a_proof(KEY, iat=at(-60)),
        a_proof(KEY, url="HTTP://LOCALHOST:80/openid/token"),
        a_proof(KEY, url=f"{TOKEN}?query=is#ignored"),
    ):
        response = own_token(client, system, proof)
        assert (response.status_code, response.get_json()["token_type"]) == (200, "DPoP")


def test_a_proof_works_once_even_at_the_same_time(app: Flask, client: FlaskClient, system: NewClient) -> None:
    proof = a_proof(KEY)
    found = at_once(app, [lambda browser: own_token(browser, system, proof).status_code] * 6)
    assert sorted(found) == [200] + [400] * 5
    assert own_token(client, system, proof).get_json()["error"] == "invalid_dpop_proof"
    # The same jti of another key is another proof.
    assert own_token(client, system, a_proof(KEY, jti="one")).status_code == 200
    assert own_token(client, system, a_proof(a_key(), jti="one")).status_code == 200


def refusal(app: Flask, headers: dict[str, str], path: str = "/api/v1/communications") -> OAuthProblem | None:
    """Why the token is not accepted there; None where it is."""
    with app.test_request_context(path, headers=headers):
        try:
            assert bearer_principal() is not None
        except OAuthProblem as problem:
            return problem
    return None


def test_a_bound_token_is_worth_nothing_without_its_key(app: Flask, client: FlaskClient, system: NewClient) -> None:
    token = str(own_token(client, system, a_proof(KEY)).get_json()["access_token"])
    place, mine = "http://localhost/api/v1/communications", {"Authorization": f"DPoP {token}"}
    for headers in (
        mine,
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {token}", **a_proof(KEY, "GET", place, access_token=token)},
        {**mine, **a_proof(a_key(), "GET", place, access_token=token)},
        {**mine, **a_proof(KEY, "GET", place)},
        {**mine, **a_proof(KEY, "GET", place, access_token="another")},
        {**mine, **a_proof(KEY, "POST", place, access_token=token)},
        {**mine, **a_proof(KEY, "GET", f"{place}/1", access_token=token)},
        {**mine, **a_proof(KEY, "GET", place, access_token=token, iat=at(-200))},
    ):
        found = refusal(app, headers)
        assert found is not None, headers
        assert found.status == 401
        assert found.headers["WWW-Authenticate"].startswith("DPoP ")
    sound = {**mine, **a_proof(KEY, "GET", place, access_token=token)}
    assert refusal(app, sound) is None
    assert refusal(app, sound) is not None  # used before


def test_a_token_that_is_only_borne_is_no_dpop_token(app: Flask, client: FlaskClient, system: NewClient) -> None:
    token = str(own_token(client, system, {}).get_json()["access_token"])
    place = "http://localhost/api/v1/communications"
    headers = {"Authorization": f"DPoP {token}", **a_proof(KEY, "GET", place, access_token=token)}
    assert isinstance(refusal(app, headers), InvalidToken)
    assert refusal(app, {"Authorization": f"Bearer {token}"}) is None


def test_a_client_that_registered_it_is_held_to_it(client: FlaskClient, system: NewClient) -> None:
    made = a_system(options={"dpop_bound_access_tokens": True})
    assert own_token(client, made, {}).get_json()["error"] == "invalid_request"
    assert own_token(client, made, a_proof(KEY)).status_code == 200


@pytest.mark.usefixtures("context")
def test_nonces_last_minutes_and_are_kept_by_nobody() -> None:
    now = clock.now()
    assert nonce(now) == nonce(now)
    assert len({nonce(now, ago) for ago in range(5)}) == 5
    assert nonce(now + timedelta(minutes=3), 3) == nonce(now)


def test_a_nonce_that_ended_is_replaced(client: FlaskClient, system: NewClient) -> None:
    old = nonce(clock.now() - timedelta(minutes=2))
    response = own_token(client, system, a_proof(KEY, nonce=old))
    assert (response.status_code, response.headers["DPoP-Nonce"]) == (200, nonce(clock.now()))
    ended = nonce(clock.now() - timedelta(minutes=6))
    assert own_token(client, system, a_proof(KEY, nonce=ended)).get_json()["error"] == "use_dpop_nonce"
    assert UseNonce.status == 400


def test_a_code_goes_to_the_key_it_was_asked_for(app: Flask, client: FlaskClient, person: None) -> None:
    with app.app_context():
        made = a_client("standard")
    jkt = KEY.thumbprint()
    for wrong in ({}, a_proof(a_key())):
        code = a_code(client, made, dpop_jkt=jkt)
        assert _redeem(client, made, code, wrong).get_json()["error"] == "invalid_grant"
    found = _redeem(client, made, a_code(client, made, dpop_jkt=jkt), a_proof(KEY)).get_json()
    assert found["token_type"] == "DPoP"
    token, scheme = found["access_token"], {"Authorization": f"DPoP {found['access_token']}"}
    assert client.get("/openid/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert client.get("/openid/userinfo", headers=scheme).status_code == 401
    proof = a_proof(KEY, "GET", USERINFO, access_token=token)
    assert client.get("/openid/userinfo", headers=scheme | proof).status_code == 200
    for jkt_of_wrong_form in ("short", "x" * 44, "=" * 43):
        answer = client.get("/openid/authorize?" + urlencode(_asked(made, dpop_jkt=jkt_of_wrong_form)))
        assert answer_of(answer)["error"] == "invalid_request"


def test_a_refresh_token_of_a_client_without_credentials_is_bound_to_its_key(
    app: Flask, client: FlaskClient, person: None
) -> None:
    """RFC 9449 5: for the others their credentials do it."""
    offline: dict[str, Any] = {"scopes": ["openid", "offline_access"]}
    with app.app_context():
        public, confidential = a_client("standard", auth_method="none", **offline), a_client("standard", **offline)
    refused = {"invalid_grant", "invalid_dpop_proof"}
    for made, is_bound in ((public, True), (confidential, False)):
        given = _redeem(client, made, a_code(client, made, scope="openid offline_access"), a_proof(KEY)).get_json()
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        form |= {name: value for name, value in token_form(made, "").items() if name.startswith("client_")}
        for wrong in ({}, a_proof(a_key())):
            answer = client.post("/openid/token", data=form, headers=wrong).get_json()
            assert (answer.get("error") in refused) is is_bound, (made.client.auth_method, wrong)
        found = client.post("/openid/token", data=form, headers=a_proof(KEY)).get_json()
        assert found["token_type"] == "DPoP", found


def test_tokens_without_a_proof_stay_as_they_were(app: Flask, client: FlaskClient, person: None) -> None:
    with app.app_context():
        made = a_client("standard")
    assert redeem(client, made, a_code(client, made)).get_json()["token_type"] == "Bearer"


def _redeem(browser: FlaskClient, made: NewClient, code: str, headers: dict[str, str]) -> TestResponse:
    return browser.post("/openid/token", data=token_form(made, code), headers=headers)


def _asked(made: NewClient, **more: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": made.client.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid run",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": s256(),
        "code_challenge_method": "S256",
        **more,
    }


# ---- FAPI 2.0 ----


@pytest.fixture
def strict(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("fapi2", jwks=public(KEY), scopes=["openid", "run", "offline_access"])


def called(browser: FlaskClient, path: str, form: dict[str, Any], made: NewClient, key: Any = KEY) -> TestResponse:
    """The client's request with its assertion and a proof, sent again with the nonce as RFC 9449 8 has it."""
    url = f"http://localhost{path}"
    first = browser.post(path, data=form | an_assertion(KEY, made.client.client_id), headers=a_proof(key, url=url))
    assert first.get_json()["error"] == "use_dpop_nonce"
    headers = a_proof(key, url=url, nonce=first.headers["DPoP-Nonce"])
    return browser.post(path, data=form | an_assertion(KEY, made.client.client_id), headers=headers)


def pushed(browser: FlaskClient, made: NewClient, **more: str) -> str:
    response = called(browser, "/openid/par", _asked(made, **more), made)
    assert response.status_code == 201, response.text
    return str(response.get_json()["request_uri"])


def entered(browser: FlaskClient, made: NewClient, request_uri: str) -> dict[str, str]:
    query = urlencode({"client_id": made.client.client_id, "request_uri": request_uri})
    response = browser.get(f"/openid/authorize?{query}")
    if response.status_code == 200:
        response = decide(browser, response, "allow")
    return answer_of(response)


def grant(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }


def test_fapi2_from_the_pushed_request_to_the_person(client: FlaskClient, strict: NewClient, person: None) -> None:
    back = entered(client, strict, pushed(client, strict))
    assert (back["iss"], back["state"]) == (ISSUER, "a-state")
    response = called(client, "/openid/token", grant(back["code"]), strict)
    assert response.status_code == 200, response.text
    found = response.get_json()
    assert found["token_type"] == "DPoP"
    header = found["id_token"].split(".")[0]
    assert b'"ES256"' in base64.urlsafe_b64decode(header + "==")
    token = found["access_token"]
    scheme = {"Authorization": f"DPoP {token}"}
    first = client.get("/openid/userinfo", headers=scheme | a_proof(KEY, "GET", USERINFO, access_token=token))
    assert first.status_code == 401
    assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
    proof = a_proof(KEY, "GET", USERINFO, access_token=token, nonce=first.headers["DPoP-Nonce"])
    assert client.get("/openid/userinfo", headers=scheme | proof).get_json()["RolUnico"]


def test_fapi2_refuses_a_request_that_was_not_pushed(client: FlaskClient, strict: NewClient, person: None) -> None:
    response = client.get("/openid/authorize?" + urlencode(_asked(strict)))
    assert "code=" not in response.headers.get("Location", "")
    assert response.status_code in (303, 400)


def test_fapi2_refuses_tokens_that_are_only_borne(client: FlaskClient, strict: NewClient, person: None) -> None:
    me = strict.client.client_id
    code = entered(client, strict, pushed(client, strict))["code"]
    response = client.post("/openid/token", data=grant(code) | an_assertion(KEY, me))
    assert response.get_json()["error"] == "invalid_request"
    assert "FAPI 2.0" in response.get_json()["error_description"]


def test_the_proof_at_par_binds_the_code(client: FlaskClient, strict: NewClient, person: None) -> None:
    me = strict.client.client_id
    code = entered(client, strict, pushed(client, strict))["code"]
    assert called(client, "/openid/token", grant(code), strict, a_key()).get_json()["error"] == "invalid_grant"
    other = {"dpop_jkt": a_key().thumbprint()}
    assert called(client, "/openid/par", _asked(strict, **other), strict).get_json()["error"] == "invalid_dpop_proof"
    same = {"dpop_jkt": KEY.thumbprint()}
    assert called(client, "/openid/par", _asked(strict, **same), strict).status_code == 201
    assert client.post("/openid/par", data=_asked(strict) | an_assertion(KEY, me)).status_code == 201


def test_a_fapi2_code_lives_a_minute_at_most(client: FlaskClient, strict: NewClient, person: None) -> None:
    code = entered(client, strict, pushed(client, strict))["code"]
    with clock.shifted(timedelta(seconds=61)):
        assert called(client, "/openid/token", grant(code), strict).get_json()["error"] == "invalid_grant"
