"""Authorization requests that are pushed, signed or answered by a form."""

import json
import re
from html import unescape
from time import time
from typing import Any
from urllib.parse import urlencode

from builders.clients import a_client, a_request, decide
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey, Key
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient

ISSUER = "http://localhost/openid"


def a_key(kid: str = "first") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})


def a_signing_client(key: Key, profile: str = "standard", **others: Any) -> NewClient:
    """A client that registered the public half of the key."""
    return a_client(profile, jwks={"keys": [key.as_dict(private=False)]}, **others)


def push(browser: FlaskClient, made: NewClient, **changed: str | None) -> TestResponse:
    """Push a sound request with the client's secret; None takes a parameter away."""
    form = {**a_request(made, **changed), "client_secret": made.secret or ""}
    return browser.post("/openid/par", data=form)


def a_request_uri(browser: FlaskClient, made: NewClient, **changed: str | None) -> str:
    response = push(browser, made, **changed)
    assert response.status_code == 201, response.text
    return str(response.get_json()["request_uri"])


def show(browser: FlaskClient, made: NewClient, **parameters: str) -> TestResponse:
    """Send the browser to /authorize with the client_id and these parameters only."""
    return browser.get("/openid/authorize?" + urlencode({"client_id": made.client.client_id, **parameters}))


def a_request_object(made: NewClient, key: Key, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """A sound signed request; None takes a claim away."""
    now = int(time())
    claims: dict[str, Any] = {
        **a_request(made),
        "iss": made.client.client_id,
        "aud": ISSUER,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
    } | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    top = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": "first", **(header or {})}
    top = {name: value for name, value in top.items() if value is not None}
    return jws.serialize_compact(top, json.dumps(claims), key, algorithms=[top["alg"]])


def agree(browser: FlaskClient, page: TestResponse) -> TestResponse:
    """Press the button of the consent page, if it is one."""
    return decide(browser, page, "allow") if page.status_code == 200 and "decision" in page.text else page


def posted(page: TestResponse) -> dict[str, str]:
    """Return the fields that the page's form will bring to the client."""
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return {unescape(name): unescape(value) for name, value in fields}
