"""Attacks on the provider, one test each: RFC 9700 4, RFC 8252 8, RFC 8628 5, RFC 8725 2 and 3.

Those that the tests of a rule already make are not made again: other addresses (test_openid_checks.py), codes of others
and used ones (test_openid_token.py), mangled tokens (test_openid_mangled*.py), other clients' tokens
(test_openid_introspection.py).
"""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import (
    CALLBACK,
    LEFT,
    STATE,
    VERIFIER,
    a_client,
    a_code,
    a_request,
    answer_of,
    authorize,
    basic,
    decide,
    redeem,
    s256,
    tokens_for,
    userinfo,
)
from builders.identity import a_person, sign_in
from builders.keys import ISSUER, a_key, an_assertion, public, signed, urlsafe
from builders.requests import a_request_object, a_request_uri, agree, push, show
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base import clock
from kernel.base.clock import local

OTHER_VERIFIER = "another-verifier-of-at-least-forty-three-characters-123"


@pytest.fixture
def attackers(app: Flask) -> FlaskClient:
    """The attacker's own browser, with an account of their own."""
    with app.app_context():
        person = a_person(is_test_person=True)
    browser = app.test_client()
    assert sign_in(browser, person).status_code == 303
    return browser


# ---- RFC 9700 4.5: codes put into somebody else's session ----


def test_a_stolen_code_is_worth_nothing_in_another_session(
    client: FlaskClient, person: Person, made: NewClient, attackers: FlaskClient
) -> None:
    """4.5.3: the attacker has the application redeem the victim's code, with the verifier of their own session."""
    stolen = a_code(client, made)
    a_code(attackers, made, code_challenge=s256(OTHER_VERIFIER))
    refused = redeem(attackers, made, stolen, code_verifier=OTHER_VERIFIER)
    assert refused.get_json()["error"] == "invalid_grant"


def test_a_request_without_the_challenge_does_not_get_round_it(
    client: FlaskClient, person: Person, made: NewClient, legacy: NewClient
) -> None:
    """4.8.2, PKCE downgrade: the challenge is taken out on the way, and the code brought with a verifier."""
    assert answer_of(authorize(client, made, code_challenge=None, code_challenge_method=None))["error"]
    code = a_code(client, legacy)
    assert redeem(client, legacy, code, code_verifier=VERIFIER).get_json()["error"] == "invalid_grant"


# ---- RFC 9700 4.4: mix-up, and requests that say two things ----


def test_a_pushed_request_is_not_changed_by_what_stands_beside_it(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    """PAR and JAR confusion: neither parameters nor a request object beside the request_uri count."""
    key = a_key(kid="first")
    beside = {"redirect_uri": LEFT, "state": "attacker", "response_mode": "fragment", "scope": "openid run"}
    told = answer_of(agree(client, show(client, made, request_uri=a_request_uri(client, made), **beside)))
    assert (told["state"], told["iss"]) == (STATE, ISSUER)
    request_object = a_request_object(made, key, state="attacker")
    both = show(client, made, request_uri=a_request_uri(client, made), request=request_object)
    assert (both.status_code, "Location" in both.headers) == (400, False)


def test_a_request_object_is_its_own_clients(app: Flask, client: FlaskClient, person: Person) -> None:
    """RFC 9101 10.4: one client's signed request, shown or pushed in another's name."""
    key = a_key(kid="first")
    with app.app_context():
        honest, other = (a_client("standard", jwks=public(key)) for _ in range(2))
    theirs = a_request_object(honest, key)
    assert answer_of(authorize(client, other, request=theirs))["error"] == "invalid_request_object"
    assert push(client, other, request=theirs).get_json()["error"] == "invalid_request_object"


# ---- RFC 9700 4.11: the provider as a way to anywhere ----


def registered(browser: FlaskClient, **metadata: Any) -> dict[str, Any]:
    """A client that registered itself, as anybody may in the sandbox."""
    asked = {"redirect_uris": ["https://phishing.example/in"], "token_endpoint_auth_method": "none", **metadata}
    found: dict[str, Any] = browser.post("/openid/register", json=asked).get_json()
    return found


WAYS_TO_AN_ERROR: list[dict[str, str]] = [
    {"scope": "nonsense"},
    {"prompt": "none"},
    {"response_type": "token"},
    {"request": "a.b.c"},
    {"request_uri": "https://phishing.example/request"},
    {"prompt": "none", "response_mode": "form_post"},
    {"prompt": "none", "response_mode": "jwt"},
]


def test_a_link_of_ours_leads_nobody_to_whom_nobody_knows(app: Flask, client: FlaskClient) -> None:
    """4.11.2: an attacker registers an address of theirs, and sends people a link here that ends there by an error."""
    told = registered(client, post_logout_redirect_uris=["https://phishing.example/out"])
    sound = {"client_id": told["client_id"], "redirect_uri": "https://phishing.example/in", "response_type": "code"}
    sound |= {"scope": "openid", "code_challenge": s256(), "code_challenge_method": "S256"}
    with app.app_context():
        real, tester = a_person(), a_person(is_test_person=True)
    for who in (None, real):
        if who is not None:
            sign_in(client, who)
        for way in WAYS_TO_AN_ERROR:
            answer = client.get("/openid/authorize", query_string=sound | way)
            assert (answer.status_code, "Location" in answer.headers) == (400, False), way
            assert not re.search(r'(href|action|src)="https?://phishing', answer.text)
    # Who tries it out with a test person learns what is wrong as the protocol has it.
    sign_in(client, tester)
    assert answer_of(client.get("/openid/authorize", query_string=sound | {"scope": "nonsense"}))["error"]


def test_leaving_leads_nobody_to_whom_nobody_knows(app: Flask, client: FlaskClient) -> None:
    """4.11: by both ways to leave, and with an ID token that the attacker got from their own application."""
    out, key = "https://phishing.example/out", a_key()
    own = {"redirect_uris": [CALLBACK], "post_logout_redirect_uris": [out], "jwks": public(key)}
    told = registered(client, **own, token_endpoint_auth_method="private_key_jwt")
    with app.app_context():
        tester = a_person(is_test_person=True)
    attacker = app.test_client()
    sign_in(attacker, tester)
    sound = {"client_id": told["client_id"], "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
    sound |= {"code_challenge": s256(), "code_challenge_method": "S256"}
    code = answer_of(agree(attacker, attacker.get("/openid/authorize", query_string=sound)))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    hint = attacker.post("/openid/token", data=form | an_assertion(key, told["client_id"])).get_json()["id_token"]
    for query in ({"client_id": told["client_id"]}, {"id_token_hint": hint}):
        query |= {"post_logout_redirect_uri": out}
        assert client.get("/openid/end-session", query_string=query).location in (None, "/")
    by_manual = "/api/v1/accounts/app/logout"
    assert client.get(by_manual, query_string={"redirect": f"{out}/any"}).status_code == 204
    # The developer's own test person goes back, as in use.
    leave = attacker.get("/openid/end-session", query_string={"id_token_hint": hint, "post_logout_redirect_uri": out})
    assert leave.location == out
    sign_in(attacker, tester)
    assert attacker.get(by_manual, query_string={"redirect": f"{out}/any"}).location == f"{out}/any"


@pytest.mark.parametrize("path", ["/sign-in?next={}", "/sign-out?next={}", "/openid/end-session?next={}"])
def test_no_page_goes_on_to_another_site(client: FlaskClient, person: Person, path: str) -> None:
    for place in (
        "https://phishing.example/",
        "//phishing.example/",
        "/\\phishing.example",
        "\thttp://phishing.example",
    ):
        answer = client.get(path.format(place))
        assert "phishing.example" not in answer.headers.get("Location", "")


# ---- RFC 8252 8.6: another program in the application's name ----


def test_a_program_of_the_same_machine_gets_nothing_without_a_word(
    app: Flask, client: FlaskClient, person: Person
) -> None:
    with app.app_context():
        native = a_client("standard", auth_method="none")
    assert a_code(client, native)
    again = authorize(client, native, redirect_uri=CALLBACK.replace(":9", ":4444"))
    assert again.status_code == 200
    assert "decision" in again.text
    silent = authorize(client, native, redirect_uri=CALLBACK.replace(":9", ":4444"), prompt="none")
    assert "error=consent_required" in silent.headers["Location"]
    # At an address of the web it is known who listens.
    with app.app_context():
        web = a_client("standard", auth_method="none", redirect_uris=["https://app.example/in"])
    assert answer_of(decide(client, authorize(client, web), "allow"))["code"]
    assert answer_of(authorize(client, web))["code"]


# ---- RFC 8725 2.8 and 3.11: one kind of token for another ----


def test_no_other_token_of_ours_passes_for_an_id_token(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client("standard", options={"userinfo_signed_response_alg": "ES256"})
    told = tokens_for(client, made, scope="openid")
    answered = answer_of(authorize(client, made, scope="openid", response_mode="jwt"))["response"]
    header = basic(made.client.client_id, made.secret)
    introspected = client.post(
        "/openid/introspect",
        data={"token": told["access_token"]},
        headers=header | {"Accept": "application/token-introspection+jwt"},
    ).text
    for other in (userinfo(client, told["access_token"]).text, answered, introspected):
        assert other.count(".") == 2
        refused = answer_of(authorize(client, made, scope="openid", id_token_hint=other))
        assert refused["error"] == "invalid_request"
    assert answer_of(authorize(client, made, scope="openid", id_token_hint=told["id_token"]))["code"]


def test_what_proves_a_client_in_one_place_proves_it_in_no_other(app: Flask, client: FlaskClient) -> None:
    """A client assertion, a request object and a grant, each shown where the others belong."""
    key = a_key(kid="first")
    with app.app_context():
        made = a_client("standard", auth_method="private_key_jwt", jwks=public(key))
    me = made.client.client_id
    assertion = an_assertion(key, me)
    shown = answer_of(authorize(client, made, request=assertion["client_assertion"]))
    assert shown["error"] == "invalid_request_object"
    request_object = a_request_object(made, key)
    form = a_request(made) | assertion | {"client_assertion": request_object}
    assert client.post("/openid/par", data=form).get_json()["error"] == "invalid_client"
    proof = signed(key, {"iss": me, "sub": me, "aud": ISSUER, "exp": 2**33, "jti": "x"}, typ="dpop+jwt")
    form |= {"client_assertion": proof}
    assert client.post("/openid/par", data=form).get_json()["error"] == "invalid_client"


def test_an_assertion_for_somebody_else_too_counts_for_nothing(app: Flask, client: FlaskClient) -> None:
    """draft-ietf-oauth-rfc7523bis 7: the other one, to whom the client sent it, shows it here in the client's name."""
    key = a_key()
    with app.app_context():
        made = a_client("standard", auth_method="private_key_jwt", jwks=public(key))
    for audience in ([ISSUER, "https://evil.example"], ["https://evil.example", f"{ISSUER}/token"], [ISSUER, 7], []):
        form = a_request(made) | an_assertion(key, made.client.client_id, aud=audience)
        assert client.post("/openid/par", data=form).get_json()["error"] == "invalid_client", audience
    # Both of our own names, as some libraries send them.
    form = a_request(made) | an_assertion(key, made.client.client_id, aud=[ISSUER, f"{ISSUER}/token"])
    assert client.post("/openid/par", data=form).status_code == 201


def test_an_algorithm_is_not_the_callers_to_choose(app: Flask, client: FlaskClient) -> None:
    """RFC 8725 2.1: HS256 with the public key, or with our own, as the secret; none in every spelling."""
    key = a_key("RSA")
    with app.app_context():
        made = a_client("standard", auth_method="private_key_jwt", jwks=public(key))
    body = an_assertion(key, made.client.client_id)["client_assertion"].split(".")[1]
    for algorithm in ("HS256", "HS512", "none", "None", "nOnE", "", None, ["ES256"], {"a": 1}, "RS256"):
        header = urlsafe(json.dumps({"alg": algorithm}).encode()).decode()
        form = a_request(made) | {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": f"{header}.{body}.AAAA",
        }
        refused = client.post("/openid/par", data=form)
        assert (refused.status_code, refused.get_json()["error"]) == (401, "invalid_client"), algorithm


# ---- RFC 8628 5 and the draft on cross-device flows ----


def test_a_device_gets_in_by_nothing_but_the_button(app: Flask, client: FlaskClient, person: Person) -> None:
    """5.4, remote phishing: a link with the code in it shows a page that says who asks, and waits."""
    with app.app_context():
        television = a_client("standard", name="Televisor", auth_method="none", options={"device_flow": True})
    browser = app.test_client()
    form = {"client_id": television.client.client_id, "scope": "openid"}
    told = browser.post("/openid/device_authorization", data=form).get_json()
    path = told["verification_uri_complete"].removeprefix("http://localhost")
    for query in ("", "&decision=allow", "&client_id=x&decision=allow"):
        assert client.get(path + query).status_code == 200
    page = client.post("/device", data={"user_code": told["user_code"], "decision": "allow"})
    assert "Televisor" in page.text
    assert f"{local(clock.now()):%H:}" in page.text
    assert told["user_code"] in re.sub(r"<[^>]*>", "", page.text)
    poll = {"client_id": television.client.client_id, "device_code": told["device_code"]}
    poll |= {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
    assert browser.post("/openid/token", data=poll).get_json()["error"] == "authorization_pending"
    # What was not decided in its ten minutes is over, however the link is kept.
    with clock.shifted(timedelta(minutes=11)):
        late = client.post("/device/decide", data={"user_code": told["user_code"], "decision": "allow"})
        assert late.status_code == 422


def test_nobody_says_the_name_of_a_client_that_has_no_devices(client: FlaskClient) -> None:
    """RFC 7591 2: a client uses the grants that it registered. RFC 8628 5.4: anybody may say a public client's name."""
    grants = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]
    for metadata, status in (({}, 400), ({"device_flow": True}, 400), ({"grant_types": grants}, 200)):
        told = registered(client, **metadata)
        assert (grants[1] in told["grant_types"]) == (status == 200)
        assert "device_flow" not in told
        form = {"client_id": told["client_id"], "scope": "openid"}
        assert client.post("/openid/device_authorization", data=form).status_code == status
    strict = {"profile": "fapi2", "jwks": public(a_key()), "token_endpoint_auth_method": None, "grant_types": grants}
    assert registered(client, **strict)["error"] == "invalid_client_metadata"
