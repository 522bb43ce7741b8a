"""npm's `openid-client` and `oauth4webapi`, unmodified and strict, against the running server.

The one option set is that http is good enough on this machine, without which they refuse to begin.
"""

from typing import Any

import pytest
from builders.browser import PersonWithBrowser
from builders.clients import a_client, a_system
from builders.foreign import NodeClients
from builders.identity import an_agency
from builders.keys import Key, a_key, public
from flask import Flask
from walking import Installation

from identity.clients.registry.actions import NewClient

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them

CALLBACK = "http://localhost:5999/callback"
LEFT = "http://localhost:5999/left"
SCOPES = ("openid", "name", "email", "offline_access")


def registered(app: Flask, profile: str, key: Key | None = None, **others: Any) -> NewClient:
    with app.app_context():
        return a_client(
            profile,
            redirect_uris=[CALLBACK],
            post_logout_redirect_uris=[LEFT],
            scopes=SCOPES,
            jwks=public(key) if key else None,
            **others,
        )


def given(served: Installation, made: NewClient, key: Key | None = None) -> dict[str, Any]:
    """The settings that a client's owner writes, and not more."""
    found: dict[str, Any] = {
        "issuer": f"{served.base_url}/openid",
        "client_id": made.client.client_id,
        "client_secret": made.secret,
        "redirect_uri": CALLBACK,
        "post_logout_redirect_uri": LEFT,
        "scope": " ".join(SCOPES),
    }
    if key is not None:
        found |= {"jwk": key.as_dict(private=True), "alg": {"EC": "ES256", "RSA": "PS256"}[key.key_type]}
    return found


def test_the_standard_profile(app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    made = registered(app, "standard")
    settings = given(served, made)

    found = node.run("standard-openid-client", person, **settings)
    claims = found["claims"]
    assert (claims["iss"], claims["aud"]) == (settings["issuer"], made.client.client_id)
    assert (found["person"]["sub"], found["person"]["name"]) == (claims["sub"], "Ana Ñancupil")
    assert found["living"]["active"] is True
    assert found["living"]["client_id"] == made.client.client_id
    assert found["revoked"] == {"active": False}
    assert found["left"] == f"{LEFT}?state=left"

    found = node.run("standard-oauth4webapi", person, **settings)
    assert found["same"], "both addresses of the metadata tell the same"
    assert found["claims"]["sub"] == found["person"]["sub"] == claims["sub"]
    assert (found["living"]["active"], found["revoked"]) == (True, {"active": False})


def test_fapi2_security_profile(app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    for kind, dpop_alg, signed in (("EC", "ES256", False), ("RSA", "PS256", True)):
        key = a_key(kind, kid="of-the-client")
        made = registered(app, "fapi2", key)
        found = node.run("fapi2-openid-client", person, **given(served, made, key), dpop_alg=dpop_alg, signed=signed)
        assert found["asked"] == ["client_id", "request_uri"]
        assert found["answered"] == ["code", "iss"]
        assert found["type"] == "dpop"
        assert found["claims"]["aud"] == made.client.client_id
        assert found["person"]["email"]
        assert found["same_refresh_token"]
        assert (found["living"]["active"], found["living"]["token_type"]) == (True, "DPoP")
        assert found["living"]["cnf"]["jkt"]
        assert found["borne"] == "invalid_token"

    found = node.run("fapi2-oauth4webapi", person, **given(served, made, key), dpop_alg="Ed25519")
    assert found["type"] == "dpop"
    assert found["claims"]["sub"] == found["person"]["sub"]
    assert found["retries"] == 1, "the nonce of the pushed request is good for the others"


def test_signed_requests(app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    key = a_key("EC")
    made = registered(app, "standard", key, options={"require_signed_request_object": True})
    found = node.run("signed-request", person, **given(served, made, key))
    assert found["asked"] == ["client_id", "request"]
    assert found["claims"]["sub"] == found["person"]["sub"]


def test_a_system_with_its_own_tokens(app: Flask, served: Installation, node: NodeClients) -> None:
    key = a_key("EC")
    with app.app_context():
        an_agency("AE001")
        made = a_system(scopes=["catalogue.agreements"], auth_method="private_key_jwt", jwks=public(key))
    resource = f"{served.base_url}/api/v1"
    settings = {**given(served, made, key), "scope": "catalogue.agreements", "resource": resource}
    found = node.run("client-credentials", **settings, page=f"{resource}/agreements")
    assert found["type"] == "dpop"
    assert (found["verified"]["client_id"], found["verified"]["aud"]) == (made.client.client_id, resource)
    assert (found["called"], found["borne"]) == (200, "invalid_token")


def test_a_device(app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    made = registered(app, "standard", options={"device_flow": True})
    found = node.run("device", person, **given(served, made))
    assert found["code"]
    assert found["claims"]["sub"] == found["person"]["sub"]
    assert found["person"]["name"] == "Ana Ñancupil"


def test_a_program_that_registers_itself(served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    settings = {"issuer": f"{served.base_url}/openid", "redirect_uri": CALLBACK, "scope": "openid name"}
    found = node.run("self-registration", person, **settings)
    assert found["registered"]["token_endpoint_auth_method"] == "private_key_jwt"
    assert found["parts"] == 5, "the ID token is encrypted"
    assert found["claims"]["aud"] == found["registered"]["client_id"]
    assert (found["person"]["sub"], found["person"]["name"]) == (found["claims"]["sub"], "Ana Ñancupil")


def test_signed_answers(app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser) -> None:
    for algorithm in ("RS256", "ES256", "EdDSA", "Ed25519"):
        made = registered(app, "standard", options={"authorization_signed_response_alg": algorithm})
        metadata = {"client_secret": made.secret, "authorization_signed_response_alg": algorithm}
        found = node.run("signed-answer", person, **given(served, made), metadata=metadata)
        assert found["answered"] == ["response"]
        assert found["claims"]["aud"] == made.client.client_id
        assert found["person"]["sub"] == found["claims"]["sub"]
