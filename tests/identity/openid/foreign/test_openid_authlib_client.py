"""Authlib's own client, configured by discovery alone, logs in with the standard profile against the running server."""

import json

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from builders.browser import PersonWithBrowser
from builders.identity import a_person
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet
from walking import Installation

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them

CALLBACK = "http://localhost:5999/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


def test_it_logs_in_and_renews_and_leaves(app: Flask, served: Installation) -> None:
    with app.app_context():
        a_person("55.555.555-5", ["Ana"], ["Ñancupil"], password="testing", is_test_person=True)
    made = json.loads(
        served.cli(
            *("client", "create", "--name", "Cliente Authlib", "--profile", "standard"),
            *("--scope", "offline_access", "--redirect-uri", CALLBACK),
            *("--post-logout-redirect-uri", "http://localhost:5999/", "--json"),
        )
    )
    provider = httpx2.get(f"{served.base_url}/openid/.well-known/openid-configuration").json()
    session = OAuth2Session(
        made["client_id"],
        made["client_secret"],
        scope="openid profile offline_access",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint=provider["token_endpoint"],
    )
    away, state = session.create_authorization_url(
        provider["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-1"
    )
    person = PersonWithBrowser(served.base_url, "55555555-5", "testing")
    back = person.go(away)
    token = session.fetch_token(authorization_response=back, state=state, code_verifier=VERIFIER)
    keys = KeySet.import_key_set(httpx2.get(provider["jwks_uri"]).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (provider["issuer"], made["client_id"], "n-1")
    told = session.get(provider["userinfo_endpoint"]).json()
    assert (told["sub"], told["name"]) == (claims["sub"], "Ana Ñancupil")

    session.refresh_token()
    assert session.get(provider["userinfo_endpoint"]).json() == told

    query = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": "http://localhost:5999/"}
    left = person.http.get(provider["end_session_endpoint"], params=query)
    assert left.headers["Location"] == "http://localhost:5999/"
