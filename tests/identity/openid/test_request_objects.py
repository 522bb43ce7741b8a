"""RFC 9101 by the letter: signed request objects, the wrong ones first."""

import base64
import json
from datetime import timedelta
from time import time
from typing import Any

import pytest
from builders.clients import CALLBACK, STATE, a_client, a_request, answer_of, authorize, following
from builders.identity import a_person, sign_in
from builders.requests import ISSUER, a_key, a_request_object, a_signing_client, agree, push, show
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OctKey, RSAKey

from identity.clients.registry.actions import NewClient
from identity.openid.authorization.decryption import decrypted
from identity.openid.tokens.proofs.signed import NotSound
from identity.people.models import Person
from kernel.base import clock
from kernel.base.settings import Settings


@pytest.fixture(scope="module")
def key() -> ECKey:
    return a_key()


@pytest.fixture
def made(app: Flask, key: ECKey) -> NewClient:
    with app.app_context():
        return a_signing_client(key)


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, ""])


def wrong_claims() -> list[dict[str, Any]]:
    """One of them in each is wrong, as of now."""
    return [
        {"aud": None},
        {"aud": "https://elsewhere.example"},
        {"aud": []},
        {"aud": {"a": 1}},
        {"iss": None},
        {"iss": "another"},
        {"client_id": "another"},
        {"client_id": None},
        {"exp": int(time()) - 1},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": int(time()) + 600},
        {"iat": int(time()) + 600},
        {"request": "e30.e30."},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"nonce": 1.5},
        {"scope": True},
    ]


WRONG_HEADERS: list[dict[str, Any]] = [
    {"typ": "dpop+jwt"},
    {"typ": "at+jwt"},
    {"typ": 7},
    {"crit": ["exp"], "exp": 1},
    {"b64": False, "crit": ["b64"]},
    {"kid": "unknown"},
]


def test_a_wrong_request_object_is_refused(client: FlaskClient, made: NewClient, key: ECKey) -> None:
    wrong = [a_request_object(made, key, **claims) for claims in wrong_claims()]
    wrong.append(a_request_object(made, key, sub=made.client.client_id))
    wrong.append(a_request_object(made, a_key()))
    for request_object in wrong:
        answer = answer_of(authorize(client, made, request=request_object))
        assert (answer["error"], answer["state"], answer["iss"]) == ("invalid_request_object", STATE, ISSUER)


def test_a_wrong_header_is_refused(client: FlaskClient, made: NewClient, key: ECKey) -> None:
    sound = a_request_object(made, key).split(".")
    for header in WRONG_HEADERS:
        top = {"alg": "ES256", "kid": "first", **header}
        first = base64.urlsafe_b64encode(json.dumps(top).encode()).rstrip(b"=").decode()
        answer = answer_of(authorize(client, made, request=".".join([first, *sound[1:]])))
        assert answer["error"] == "invalid_request_object", header


def test_no_signature_or_a_symmetric_one_is_refused(client: FlaskClient, made: NewClient) -> None:
    claims = {**a_request(made), "iss": made.client.client_id, "aud": ISSUER}
    secret = OctKey.import_key(made.secret or "")
    for request_object in (
        unsigned(claims, {"alg": "none"}),
        unsigned(claims, {"alg": "None", "kid": "first"}),
        unsigned(claims, {"kid": "first"}),
        a_request_object(made, secret, {"alg": "HS256", "kid": None}),
        "x",
        "..",
        "e30.e30.e30",
        "a.b.c.d.e",
        "W10.W10.W10",
        "ñ.ñ.ñ",
        "[" * 6_000,
    ):
        assert answer_of(authorize(client, made, request=request_object))["error"] == "invalid_request_object"


def test_who_has_no_keys_signs_nothing(app: Flask, client: FlaskClient, key: ECKey) -> None:
    with app.app_context():
        keyless = a_client("standard")
    request_object = a_request_object(keyless, key)
    assert answer_of(authorize(client, keyless, request=request_object))["error"] == "invalid_request_object"


def test_a_broken_object_without_a_sound_address_beside_it_is_not_redirected(
    client: FlaskClient, made: NewClient, key: ECKey
) -> None:
    broken = a_request_object(made, a_key())
    for beside in ({}, {"redirect_uri": "https://elsewhere.example/"}):
        response = show(client, made, request=broken, **beside)
        assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_the_address_in_the_object_must_be_registered(client: FlaskClient, made: NewClient, key: ECKey) -> None:
    for changed in ({"redirect_uri": "https://elsewhere.example/"}, {"redirect_uri": None}):
        response = authorize(client, made, request=a_request_object(made, key, **changed))
        assert (response.status_code, response.headers.get("Location")) == (400, None)


def test_only_what_is_in_the_object_counts(client: FlaskClient, person: Person, made: NewClient, key: ECKey) -> None:
    request_object = a_request_object(made, key, state="inside", scope="openid", nonce=None)
    page = authorize(client, made, request=request_object, prompt="none", scope="openid email")
    answer = answer_of(agree(client, page))
    assert (answer["state"], "code" in answer) == ("inside", True)
    missing = a_request_object(made, key, code_challenge=None)
    assert answer_of(authorize(client, made, request=missing))["error"] == "invalid_request"


def test_sound_objects_of_every_form_are_taken(
    client: FlaskClient, person: Person, made: NewClient, key: ECKey
) -> None:
    for header in ({}, {"typ": "JWT"}, {"typ": None}, {"typ": "application/oauth-authz-req+jwt"}, {"kid": None}):
        request_object = a_request_object(
            made, key, header, max_age=600, claims={"userinfo": {"email": None}}, aud=[ISSUER, "another"]
        )
        assert "code" in answer_of(agree(client, show(client, made, request=request_object))), header


def test_an_object_is_good_for_the_time_of_signing_in(
    app: Flask, client: FlaskClient, made: NewClient, key: ECKey
) -> None:
    with app.app_context():
        slow = a_person(is_test_person=True)
    away = show(client, made, request=a_request_object(made, key))
    back = following(away)
    with clock.shifted(timedelta(minutes=3)):
        assert "expired" in answer_of(authorize(client, made, request=a_request_object(made, key)))["error_description"]
        sign_in(client, slow)
        assert "code" in answer_of(agree(client, client.get(back)))


def test_who_signs_always_may_not_leave_it_out(app: Flask, client: FlaskClient, person: Person, key: ECKey) -> None:
    with app.app_context():
        strict = a_signing_client(key, options={"require_signed_request_object": True})
    assert answer_of(authorize(client, strict))["error"] == "invalid_request"
    assert push(client, strict).get_json()["error"] == "invalid_request"
    assert agree(client, show(client, strict, request=a_request_object(strict, key))).status_code == 303


def test_an_object_may_be_pushed(client: FlaskClient, person: Person, made: NewClient, key: ECKey) -> None:
    form = {"client_id": made.client.client_id, "client_secret": made.secret or ""}
    # RFC 9126 3: the client_id of the object is the one that authenticated.
    wrong = client.post("/openid/par", data={**form, "request": a_request_object(made, key, client_id="another")})
    assert wrong.get_json()["error"] == "invalid_request_object"
    pushed = client.post("/openid/par", data={**form, "request": a_request_object(made, key, state="pushed")})
    assert pushed.status_code == 201
    answer = answer_of(agree(client, show(client, made, request_uri=pushed.get_json()["request_uri"])))
    assert answer["state"] == "pushed"


def test_not_both_a_request_and_a_request_uri(client: FlaskClient, made: NewClient, key: ECKey) -> None:
    request_uri = push(client, made).get_json()["request_uri"]
    response = show(client, made, request=a_request_object(made, key), request_uri=request_uri, redirect_uri=CALLBACK)
    assert answer_of(response)["error"] == "invalid_request"


# ---- encrypted to our key (RFC 9101 4, OIDC Core 6.1) ----


def our_key(client: FlaskClient) -> ECKey:
    (found,) = [key for key in client.get("/openid/jwks").get_json()["keys"] if key["use"] == "enc"]
    assert "d" not in found
    return ECKey.import_key(found)


def encrypted(text: str, to: Any, alg: str = "ECDH-ES", enc: str = "A128CBC-HS256", **header: Any) -> str:
    registry = JWERegistry(algorithms=[alg, enc, "DEF"], strict_check_header=False)
    protected = {"alg": alg, "enc": enc, "cty": "JWT", **header}
    return jwe.encrypt_compact(protected, text.encode(), to, algorithms=[alg, enc, "DEF"], registry=registry)


def test_a_signed_request_may_be_encrypted_to_us(
    client: FlaskClient, made: NewClient, key: ECKey, person: Person
) -> None:
    told = client.get("/openid/.well-known/openid-configuration").get_json()
    to = our_key(client)
    for alg in told["request_object_encryption_alg_values_supported"]:
        for enc in told["request_object_encryption_enc_values_supported"]:
            for header in ({}, {"kid": to.kid}):
                text = encrypted(a_request_object(made, key), to, alg, enc, **header)
                answer = agree(client, authorize(client, made, request=text))
                assert "code" in answer_of(answer), (alg, enc)


def test_what_is_only_encrypted_or_to_others_is_refused(client: FlaskClient, made: NewClient, key: ECKey) -> None:
    to, signed_object = our_key(client), a_request_object(made, key)
    sound = encrypted(signed_object, to)
    parts = sound.split(".")
    wrong = [
        encrypted(json.dumps({"client_id": made.client.client_id}), to),
        encrypted(unsigned({"iss": made.client.client_id}, {"alg": "none"}), to),
        encrypted(sound, to),
        encrypted("", to),
        encrypted("\u00f1", to),
        encrypted(signed_object, ECKey.generate_key("P-256")),
        encrypted(signed_object, to, kid="another"),
        encrypted(signed_object, to, zip="DEF"),
        encrypted(signed_object, RSAKey.generate_key(2048), "RSA-OAEP-256"),
        encrypted(signed_object, OctKey.generate_key(128), "A128KW"),
        ".".join([*parts[:4], "A" * len(parts[4])]),
        ".".join([parts[0], "AAAA", *parts[2:]]),
        ".".join([*parts[:3], "", parts[4]]),
        "....",
        "e30....",
        "W10.a.b.c.d",
        "a.b.c.d.e",
        sound + "A" * 40_000,
    ]
    for text in wrong:
        answer = authorize(client, made, request=text)
        assert answer_of(answer)["error"] == "invalid_request_object", text[:60]


def test_our_key_is_replaced_and_the_one_before_still_opens(
    app: Flask, client: FlaskClient, made: NewClient, key: ECKey, settings: Settings
) -> None:
    before = our_key(client)
    turn = timedelta(days=settings.key_rotation_days)
    with clock.shifted(turn):
        assert our_key(client).kid != before.kid
        with app.app_context():
            assert decrypted(encrypted("x", before)) == "x"
    with clock.shifted(2 * turn), app.app_context(), pytest.raises(NotSound):
        decrypted(encrypted("x", before))
