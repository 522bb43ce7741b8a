"""The provider does what it tells of itself."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.profiles.rules import CERTIFICATE_METHODS, PROFILES
from identity.openid.token_endpoint.authentication import METHODS
from identity.openid.token_endpoint.grant_types import GRANTS

ADDRESSES = [
    "/openid/.well-known/openid-configuration",
    "/openid/.well-known/openid-configuration/",
    "/openid/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/openid",
    "/.well-known/openid-configuration/openid",
]
NEEDED = ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported"]
NEEDED += ["subject_types_supported", "id_token_signing_alg_values_supported"]


@pytest.fixture
def told(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(ADDRESSES[0]).get_json()
    return found


def test_every_address_has_the_same_document(client: FlaskClient, told: dict[str, Any]) -> None:
    for address in ADDRESSES:
        response = client.get(address)
        assert (response.status_code, response.get_json()) == (200, told), address
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert client.post(ADDRESSES[0]).status_code == 405


def test_the_document_has_what_the_standards_require(told: dict[str, Any]) -> None:
    assert not [name for name in NEEDED if name not in told]
    assert told["issuer"] == "http://localhost/openid"
    # OIDC Discovery 3: RS256 must be among them.
    assert "RS256" in told["id_token_signing_alg_values_supported"]


def test_every_endpoint_named_is_there_and_is_below_the_issuer(
    app: Flask, client: FlaskClient, told: dict[str, Any]
) -> None:
    endpoints = {name: url for name, url in told.items() if re.search("_endpoint$|_uri$", name)}
    assert len(endpoints) >= 8
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    for name, url in endpoints.items():
        assert url.startswith("http://localhost/openid/"), name
        assert url.removeprefix("http://localhost") in routes, name


def test_what_is_told_is_what_the_tables_say(told: dict[str, Any]) -> None:
    assert told["grant_types_supported"] == list(GRANTS)
    # Without a proxy that hands certificates over there are none (RFC 8705).
    methods = {name for method in METHODS for name in method.names} - set(CERTIFICATE_METHODS)
    assert told["tls_client_certificate_bound_access_tokens"] is False
    assert set(told["token_endpoint_auth_methods_supported"]) == methods
    assert set(told["introspection_endpoint_auth_methods_supported"]) == methods - {"none"}
    for profile in PROFILES.values():
        assert set(profile.signing_algorithms) <= set(told["id_token_signing_alg_values_supported"])
        assert set(profile.response_modes) <= set(told["response_modes_supported"])


def test_our_own_places_tell_who_gives_tokens_for_them(client: FlaskClient) -> None:
    for path, resource in (("", "http://localhost"), ("/api/v1", "http://localhost/api/v1")):
        told = client.get("/.well-known/oauth-protected-resource" + path).get_json()
        assert (told["resource"], told["authorization_servers"]) == (resource, ["http://localhost/openid"])
        assert told["bearer_methods_supported"] == ["header"]
        assert "communications.send" in told["scopes_supported"]
    assert client.get("/.well-known/oauth-protected-resource/elsewhere").status_code == 404


def test_a_refusal_at_the_interface_leads_there(client: FlaskClient) -> None:
    for headers, has_error in (({"Authorization": "Bearer x"}, True), ({}, False)):
        response = client.get("/api/v1/agreements", headers=headers)
        assert response.status_code == 401
        challenge = response.headers["WWW-Authenticate"]
        assert ("error=" in challenge) is has_error
        found = re.search('resource_metadata="http://localhost([^"]+)"', challenge)
        assert found
        assert client.get(found[1]).status_code == 200
