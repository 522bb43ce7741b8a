"""Clients that prove who they are by a JWT that they signed (RFC 7523, OIDC Core 9, FAPI 2.0 5.3.2.1)."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import CALLBACK, a_client, a_system, basic
from builders.keys import ISSUER, TOKEN, a_key, an_assertion, public, signed
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient, change_registration, revoke_client, sweep_used_proofs
from identity.clients.registry.models import UsedProof
from identity.clients.registry.queries import propose
from kernel.base import clock
from kernel.database.db import session

KEY = a_key(kid="signs")


def token(browser: FlaskClient, form: dict[str, Any], **others: Any) -> TestResponse:
    return browser.post("/openid/token", data={"grant_type": "client_credentials"} | form, **others)


def is_accepted(response: TestResponse) -> bool:
    """Whether the client was believed, whatever became of its grant, even if that lacks a proof."""
    error = (response.get_json() or {}).get("error")
    assert response.status_code < 500, response.text
    return error != "invalid_client" and (error != "invalid_request" or "DPoP" in response.text)


@pytest.fixture
def system(app: Flask, context: None) -> NewClient:
    return a_system(auth_method="private_key_jwt", jwks=public(KEY, a_key("RSA", "rsa")))


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
def test_each_algorithm_gets_a_token(app: Flask, client: FlaskClient, context: None, kind: str) -> None:
    key = a_key(kind)
    made = a_system(auth_method="private_key_jwt", jwks=public(key))
    assert made.secret is None
    found = token(client, an_assertion(key, made.client.client_id))
    assert found.status_code == 200, found.text
    assert found.get_json()["token_type"] == "Bearer"


WRONG: list[tuple[str, Callable[[str], dict[str, Any]]]] = [
    ("another key", lambda me: an_assertion(a_key(), me)),
    ("another key of the same name", lambda me: an_assertion(a_key(kid="signs"), me, {"kid": "signs"})),
    ("an unknown name of the key", lambda me: an_assertion(KEY, me, {"kid": "other"})),
    ("a name that is no text", lambda me: an_assertion(KEY, me, {"kid": 7})),
    ("another issuer", lambda me: an_assertion(KEY, me, iss="other")),
    ("no issuer", lambda me: an_assertion(KEY, me, iss=None)),
    ("another subject", lambda me: an_assertion(KEY, me, sub="other")),
    ("no subject", lambda me: an_assertion(KEY, me, sub=None)),
    ("a subject that is no text", lambda me: an_assertion(KEY, me, sub=[me], iss=[me])),
    ("another client in the form", lambda me: an_assertion(KEY, me) | {"client_id": "other"}),
    ("no audience", lambda me: an_assertion(KEY, me, aud=None)),
    ("another audience", lambda me: an_assertion(KEY, me, aud="https://elsewhere.example/")),
    ("an audience that begins alike", lambda me: an_assertion(KEY, me, aud=f"{ISSUER}.example")),
    ("an audience that is a number", lambda me: an_assertion(KEY, me, aud=7)),
    ("an audience of objects", lambda me: an_assertion(KEY, me, aud=[{"a": 1}])),
    ("no end", lambda me: an_assertion(KEY, me, exp=None)),
    ("an end that was", lambda me: an_assertion(KEY, me, exp=_at(-1))),
    ("an end too far", lambda me: an_assertion(KEY, me, exp=_at(4000))),
    ("an end that is no number", lambda me: an_assertion(KEY, me, exp="9999999999")),
    ("an end that is true", lambda me: an_assertion(KEY, me, exp=True)),
    ("an end beyond all calendars", lambda me: an_assertion(KEY, me, exp=10**300)),
    ("made in the future", lambda me: an_assertion(KEY, me, iat=_at(61), exp=_at(100))),
    ("valid in the future", lambda me: an_assertion(KEY, me, nbf=_at(61), exp=_at(100))),
    ("made at a text", lambda me: an_assertion(KEY, me, iat="now")),
    ("no jti", lambda me: an_assertion(KEY, me, jti=None)),
    ("an empty jti", lambda me: an_assertion(KEY, me, jti="")),
    ("a jti that is a number", lambda me: an_assertion(KEY, me, jti=7)),
    ("a jti that is too long", lambda me: an_assertion(KEY, me, jti="x" * 201)),
    ("another kind of JWT", lambda me: an_assertion(KEY, me, {"typ": "dpop+jwt"})),
    ("an access token", lambda me: an_assertion(KEY, me, {"typ": "at+jwt"})),
    ("a type that is no text", lambda me: an_assertion(KEY, me, {"typ": 7})),
    ("a key in the header", lambda me: an_assertion(KEY, me, {"jwk": KEY.as_dict(private=False)})),
    ("an address of keys", lambda me: an_assertion(KEY, me, {"jku": "https://example.cl/jwks"})),
    ("an address of certificates", lambda me: an_assertion(KEY, me, {"x5u": "https://example.cl/x"})),
    ("crit", lambda me: _reheaded(me, '{"alg":"ES256","crit":["exp"],"exp":1}')),
    ("b64", lambda me: _reheaded(me, '{"alg":"ES256","b64":false,"crit":["b64"]}')),
    ("none", lambda me: _reheaded(me, '{"alg":"none"}')),
    ("none without signature", lambda me: _reheaded(me, '{"alg":"none"}', "")),
    ("HS256", lambda me: _reheaded(me, '{"alg":"HS256"}')),
    ("RS256", lambda me: _reheaded(me, '{"alg":"RS256"}')),
    ("no algorithm", lambda me: _reheaded(me, "{}")),
    ("a list of algorithms", lambda me: _reheaded(me, '{"alg":["ES256"]}')),
    ("a header that is no object", lambda me: _reheaded(me, "[]")),
    ("a header without end", lambda me: _reheaded(me, "[" * 5000)),
    ("nothing", lambda me: an_assertion(KEY, me) | {"client_assertion": ""}),
    ("no JWT", lambda me: an_assertion(KEY, me) | {"client_assertion": "a.b"}),
    ("null bytes", lambda me: an_assertion(KEY, me) | {"client_assertion": "\x00.\x00.\x00"}),
    ("a megabyte", lambda me: an_assertion(KEY, me) | {"client_assertion": "a" * 1_000_000}),
    ("no type of assertion", lambda me: an_assertion(KEY, me) | {"client_assertion_type": ""}),
    ("another type of assertion", lambda me: an_assertion(KEY, me) | {"client_assertion_type": "saml"}),
    ("a type and no assertion", lambda me: {"client_assertion_type": "x", "client_id": me}),
    ("two assertions", lambda me: an_assertion(KEY, me) | {"client_assertion": ["a", "b"]}),
    ("a secret besides", lambda me: an_assertion(KEY, me) | {"client_id": me, "client_secret": "x"}),
    ("an unknown client", lambda me: an_assertion(KEY, "0" * 32)),
    ("a name with a null byte", lambda me: an_assertion(KEY, "a\x00b")),
    ("the name alone", lambda me: {"client_id": me}),
]


def _at(seconds: int) -> int:
    return int(clock.now().timestamp()) + seconds


def _reheaded(me: str, header: str, signature: str | None = None) -> dict[str, Any]:
    form = an_assertion(KEY, me)
    _, body, sound = form["client_assertion"].split(".")
    encoded = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
    return form | {"client_assertion": f"{encoded}.{body}.{sound if signature is None else signature}"}


def test_what_is_refused(client: FlaskClient, system: NewClient) -> None:
    me = system.client.client_id
    assert [name for name, form in WRONG if is_accepted(token(client, form(me)))] == []


def test_two_methods_are_refused(client: FlaskClient, system: NewClient) -> None:
    me = system.client.client_id
    assert not is_accepted(token(client, an_assertion(KEY, me), headers=basic(me, "secret")))


def test_what_is_accepted(client: FlaskClient, system: NewClient) -> None:
    me = system.client.client_id
    for form in (
        an_assertion(KEY, me),
        an_assertion(KEY, me, {"kid": "signs"}),
        an_assertion(KEY, me, {"typ": "JWT"}),
        an_assertion(KEY, me, iat=None),
        an_assertion(KEY, me, iat=_at(10), nbf=_at(10)),
        an_assertion(KEY, me, aud=TOKEN),
        an_assertion(KEY, me, aud=f"{TOKEN}/"),
        an_assertion(KEY, me, aud=[TOKEN, ISSUER]),
        an_assertion(KEY, me) | {"client_id": me},
    ):
        assert is_accepted(token(client, form)), form


def test_an_assertion_works_once_and_each_client_has_names_of_its_own(client: FlaskClient, system: NewClient) -> None:
    me = system.client.client_id
    form = an_assertion(KEY, me, jti="the-same")
    assert token(client, form).status_code == 200
    assert token(client, form).get_json()["error"] == "invalid_client"
    assert not is_accepted(token(client, an_assertion(KEY, me, jti="the-same")))
    # The same JWT with a signature written otherwise is the same assertion.
    assert not is_accepted(token(client, form | {"client_assertion": form["client_assertion"] + "="}))
    other = a_system(auth_method="private_key_jwt", jwks=public(KEY))
    assert is_accepted(token(client, an_assertion(KEY, other.client.client_id, jti="the-same")))


def test_of_many_at_once_one_is_accepted(app: Flask, system: NewClient) -> None:
    form = an_assertion(KEY, system.client.client_id)
    answers = at_once(app, [lambda browser: token(browser, form).status_code] * 8)
    assert sorted(answers) == [200] + [401] * 7


def test_a_wrong_assertion_uses_nothing_up_and_what_ended_is_swept(client: FlaskClient, system: NewClient) -> None:
    me = system.client.client_id
    assert not is_accepted(token(client, an_assertion(a_key(), me, jti="one")))
    assert is_accepted(token(client, an_assertion(KEY, me, jti="one")))
    assert sweep_used_proofs() == 0
    with clock.shifted(timedelta(minutes=2)):
        assert is_accepted(token(client, an_assertion(KEY, me, jti="one")))  # it ended, so nobody needs to remember it
    with clock.shifted(timedelta(minutes=10)):
        assert sweep_used_proofs() == 1
    assert session().query(UsedProof).count() == 0


def test_fapi2_takes_the_issuer_alone_and_as_a_text(client: FlaskClient, context: None) -> None:
    made = a_client("fapi2", jwks=public(KEY))
    grant = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK, "code_verifier": "v" * 43}
    me = made.client.client_id
    for audience in (TOKEN, [ISSUER], [ISSUER, TOKEN], f"{ISSUER}/", "http://localhost"):
        refused = token(client, grant | an_assertion(KEY, me, aud=audience))
        assert refused.get_json()["error"] == "invalid_client", audience
        assert "FAPI 2.0" in refused.get_json()["error_description"]
    assert is_accepted(token(client, grant | an_assertion(KEY, me)))


def test_a_client_uses_only_what_it_registered(client: FlaskClient, system: NewClient) -> None:
    with_secret = a_system()
    assert not is_accepted(token(client, an_assertion(KEY, with_secret.client.client_id)))
    chosen = a_system(
        auth_method="private_key_jwt", jwks=public(KEY), options={"token_endpoint_auth_signing_alg": "PS256"}
    )
    assert not is_accepted(token(client, an_assertion(KEY, chosen.client.client_id)))


def test_a_key_that_was_replaced_and_a_client_that_was_revoked_are_refused(client: FlaskClient, context: None) -> None:
    made = a_client("fapi2", jwks=public(KEY))
    me, other = made.client.client_id, a_key()
    grant = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    assert is_accepted(token(client, grant | an_assertion(KEY, me)))
    change_registration(propose(made.client, jwks=public(other)))
    assert not is_accepted(token(client, grant | an_assertion(KEY, me)))
    assert is_accepted(token(client, grant | an_assertion(other, me)))
    revoke_client(me)
    assert not is_accepted(token(client, grant | an_assertion(other, me)))


def test_a_signed_text_that_is_no_object_is_refused(client: FlaskClient, system: NewClient) -> None:
    form = an_assertion(KEY, system.client.client_id)
    assert signed(KEY, {})
    assert not is_accepted(token(client, form | {"client_assertion": signed(KEY, {})}))
