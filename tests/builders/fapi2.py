"""A client of the profile `fapi2`, and each step of its sign-in, with the proofs that the profile asks for."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from builders.clients import CALLBACK, VERIFIER, a_client, decide, s256
from builders.keys import ISSUER, Key, a_certificate, a_key, a_proof, an_assertion, public, signed
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.clients.registry.models import Client
from kernel.base import clock

USERINFO = f"{ISSUER}/userinfo"
KEY, OTHER_KEY = a_key(), a_key()
CERTIFICATE = a_certificate(KEY)
VARIANTS = ("private_key_jwt+dpop", "private_key_jwt+mtls", "mtls+mtls", "mtls+dpop")
"""The client's authentication, and what its tokens are bound by."""
SCOPES = ["openid", "name", "offline_access"]
Form = dict[str, str | None]


@dataclass(frozen=True)
class Fapi2:
    """The client, with what it proves itself by.

    certificate: shown at every endpoint, as the proxy hands it over. with_proof: whether its tokens are bound by DPoP.
    """

    made: NewClient
    key: Key
    certificate: x509.Certificate | None = None
    with_proof: bool = True

    @property
    def client(self) -> Client:
        return self.made.client

    def proves_itself(self) -> dict[str, str]:
        """The fields by which it authenticates."""
        if self.client.auth_method == "private_key_jwt":
            return an_assertion(self.key, self.client.client_id)
        return {"client_id": self.client.client_id}

    def headers(self) -> dict[str, str]:
        if self.certificate is None:
            return {}
        pem = quote(self.certificate.public_bytes(Encoding.PEM).decode())
        return {"X-Client-Cert": pem, "X-Client-Verify": "SUCCESS"}


def a_fapi2_client(key: Key, **others: Any) -> Fapi2:
    """One that signs its assertions, and proves its tokens, with the key."""
    return Fapi2(a_client("fapi2", jwks=public(key), **({"scopes": SCOPES} | others)), key)


def a_variant(app: Flask, variant: str = VARIANTS[0], key: Key = KEY, **others: Any) -> Fapi2:
    """The conformance suite's client: one of the VARIANTS."""
    method, bound_by = variant.split("+")
    options: dict[str, Any] = dict(others.pop("options", {}))
    # Who shows a certificate anyway has to say that a proof is never to be done without.
    options["tls_client_certificate_bound_access_tokens" if bound_by == "mtls" else "dpop_bound_access_tokens"] = True
    if method == "mtls":
        others["auth_method"] = "self_signed_tls_client_auth"
    with app.app_context():
        made = a_fapi2_client(key, options=options, **others).made
    return Fapi2(made, key, CERTIFICATE if "mtls" in variant else None, with_proof=bound_by == "dpop")


def the_other(app: Flask) -> Fapi2:
    """The suite's second client."""
    return a_variant(app, key=OTHER_KEY)


def type_of(made: Fapi2) -> str:
    """The type of its tokens."""
    return "DPoP" if made.with_proof else "Bearer"


def asked(made: Fapi2, **changed: str | None) -> dict[str, str]:
    """A sound request; a parameter given replaces the sound one, None takes it away."""
    sound: Form = {
        "response_type": "code",
        "client_id": made.client.client_id,
        "redirect_uri": CALLBACK,
        "scope": " ".join(SCOPES),
        "code_challenge": s256(),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (sound | changed).items() if value is not None}


def a_signed_request(made: Fapi2, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """A sound request object; a member given replaces the sound one, None takes it away."""
    now = int(clock.now().timestamp())
    sound = {**asked(made), "iss": made.client.client_id, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300}
    return signed(made.key, sound | changed, **({"typ": "oauth-authz-req+jwt"} | (header or {})))


def called(
    browser: FlaskClient, path: str, form: dict[str, str], made: Fapi2, key: Key | None = None, **claims: Any
) -> TestResponse:
    """The request with all its proofs, which takes the nonce from the refusal of the first.

    key: another one than its own for the proof. claims: those of the proof that are not the sound ones.
    """
    if not made.with_proof:
        return browser.post(path, data=form | made.proves_itself(), headers=made.headers())
    url, nonce = f"http://localhost{path}", None
    for _ in range(2):
        proof: dict[str, Any] = {"nonce": nonce} | claims
        headers = made.headers() | a_proof(key or made.key, url=url, **proof)
        response = browser.post(path, data=form | made.proves_itself(), headers=headers)
        if response.status_code < 400 or response.get_json()["error"] != "use_dpop_nonce":
            break
        nonce = response.headers["DPoP-Nonce"]
    return response


def pushed(browser: FlaskClient, made: Fapi2, **changed: str | None) -> TestResponse:
    return called(browser, "/openid/par", asked(made, **changed), made)


def shown_to(browser: FlaskClient, made: Fapi2, request_uri: str, **beside: str) -> TestResponse:
    """Return the page that a browser gets which brings a pushed request."""
    query = {"client_id": made.client.client_id, "request_uri": request_uri, **beside}
    return browser.get(f"/openid/authorize?{urlencode(query)}")


def answered(browser: FlaskClient, page: TestResponse, decision: str = "allow") -> dict[str, str]:
    """Return the parameters that the browser brings back to the client, after the person was asked if they had to
    be.
    """
    response = decide(browser, page, decision) if page.status_code == 200 else page
    # 5.3.2.2 (10) and (11): never 307; 303.
    assert response.status_code == 303, response.text
    assert response.headers["Location"].startswith(f"{CALLBACK}?")
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def entered(browser: FlaskClient, made: Fapi2, decision: str = "allow", **changed: str | None) -> dict[str, str]:
    """Return the parameters that the browser brings back for a request that was pushed."""
    told = pushed(browser, made, **changed)
    assert told.status_code == 201, told.text
    return answered(browser, shown_to(browser, made, told.get_json()["request_uri"]), decision)


def redeemed(browser: FlaskClient, made: Fapi2, code: str, **changed: str | None) -> TestResponse:
    sound: Form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    form = {name: value for name, value in (sound | changed).items() if value is not None}
    return called(browser, "/openid/token", form, made)


def shown(
    browser: FlaskClient, token: str, made: Fapi2, key: Key | None = None, scheme: str = "", **proof: Any
) -> TestResponse:
    """Userinfo, asked with what the token is bound to. proof: claims and `header` other than the sound ones."""
    usual = "DPoP" if made.with_proof else "Bearer"
    headers = {"Authorization": f"{scheme or usual} {token}"} | made.headers()
    if not made.with_proof:
        return browser.get("/openid/userinfo", headers=headers)
    nonce = None
    for _ in range(2):
        claims: dict[str, Any] = {"nonce": nonce, "access_token": token} | proof
        response = browser.get(
            "/openid/userinfo", headers=headers | a_proof(key or made.key, "GET", **({"url": USERINFO} | claims))
        )
        if response.status_code == 200 or response.get_json()["error"] != "use_dpop_nonce":
            break
        nonce = response.headers["DPoP-Nonce"]
    return response


def error_of(response: TestResponse) -> tuple[int, str]:
    return response.status_code, str(json.loads(response.text)["error"])
