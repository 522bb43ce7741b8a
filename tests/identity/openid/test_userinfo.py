"""Userinfo, discovery and keys: what each shape of client is told, and what nobody is told."""

from builders.clients import tokens_for, userinfo
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.openid.rules import left_half_hash, pairwise_subject, person_claims


def test_each_scope_tells_its_part_and_no_more() -> None:
    def told(profile: str, *scopes: str, email: str | None = "a@example.cl") -> set[str]:
        return set(person_claims(profile, scopes, (10000013, "K"), (["Ana"], ["Ñancupil"]), email))

    assert told("clave-unica", "openid") == set()
    assert told("clave-unica", "openid", "run") == {"RolUnico"}
    assert told("clave-unica", "openid", "name", "email", email=None) == {"name", "email"}
    assert told("standard", "openid", "email", email=None) == set()
    assert told("standard", "profile", "email") == {"name", "given_name", "family_name", "email", "email_verified"}


def test_the_run_is_an_integer_and_a_letter() -> None:
    claims = person_claims("clave-unica", {"run", "email"}, (10000013, "K"), (["Ana"], []), None)
    assert claims == {"RolUnico": {"numero": 10000013, "DV": "K", "tipo": "RUN"}, "email": ""}


def test_a_subject_says_nothing_of_the_person_and_depends_on_all_of_its_parts() -> None:
    subjects = {
        pairwise_subject(key, sector, person)
        for key in (b"k1", b"k2")
        for sector, person in (("a", "bc"), ("ab", "c"), ("a", "c"))
    }
    assert len(subjects) == 6
    assert {len(subject) for subject in subjects} == {43}


def test_at_hash_is_the_one_of_the_standard() -> None:
    # OIDC Core, appendix A.3: the hash of this access token.
    assert left_half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"


def test_who_brings_no_good_token_is_told_how(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer a b"}):
        response = client.get("/openid/userinfo", headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer "), headers
    # RFC 6750 3.1: no error for who brings no token, or tries another way.
    for path in ("/openid/userinfo", "/api/v1/agreements"):
        response = client.get(path, headers={"Authorization": "Basic eDp5"})
        assert (response.status_code, "error" in response.headers["WWW-Authenticate"]) == (401, False), path
    for token in ("unknown", "x" * 5000, "e30.e30.e30", "0" * 32):
        response = userinfo(client, token)
        assert (response.status_code, response.get_json()["error"]) == (401, "invalid_token"), token


def test_the_token_never_comes_in_the_address(app: Flask, client: FlaskClient, legacy: NewClient) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    token = tokens_for(client, legacy)["access_token"]
    assert client.get("/openid/userinfo", query_string={"access_token": token}).status_code == 401
    assert client.post("/openid/userinfo", data={"access_token": token}).status_code == 200
    both = client.post("/openid/userinfo", data={"access_token": token}, headers={"Authorization": f"Bearer {token}"})
    assert both.get_json()["error"] == "invalid_request"


def test_discovery_names_what_is_there(client: FlaskClient) -> None:
    found = client.get("/openid/.well-known/openid-configuration").get_json()
    assert found["issuer"] == "http://localhost/openid"
    assert found["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"):
        path = found[name].removeprefix("http://localhost")
        assert client.options(path).status_code == 200, name


def test_only_public_halves_of_keys_are_published(client: FlaskClient) -> None:
    keys = client.get("/openid/jwks/").get_json()["keys"]
    # An Ed25519 key signs as EdDSA and as Ed25519 (RFC 9864), so it names neither.
    signing = [key for key in keys if key["use"] == "sig"]
    assert {(key["kty"], key.get("alg")) for key in signing} == {("EC", "ES256"), ("RSA", "RS256"), ("OKP", None)}
    assert not [key for key in keys if {"d", "p", "q", "k"} & set(key)]
