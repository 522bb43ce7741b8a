"""A developer tries FAPI 2.0: the key that the page shows once is the one the application proves itself with."""

from __future__ import annotations

import html
import json
import re

import pytest
from builders.clients import CALLBACK
from builders.fapi2 import Fapi2, pushed
from builders.sandbox import APPLICATION, a_developer
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import any_client

FAPI2 = APPLICATION | {"profile": "fapi2", "redirect_uris": CALLBACK}


def _key_on(page: str) -> str:
    return next(code for code in map(html.unescape, re.findall(r"<code>(.*?)</code>", page, re.S)) if '"kty"' in code)


def test_the_key_shown_proves_the_application_in_a_pushed_request(client: FlaskClient) -> None:
    a_developer(client)
    page = client.post("/sandbox/applications/new", data=FAPI2)
    assert page.status_code == 201, page.text
    key = ECKey.import_key(json.loads(_key_on(page.text)))
    client_id = re.search(r"/sandbox/applications/(\w{32})/edit", page.text)
    assert client_id
    with client.application.app_context():
        registered = any_client(client_id[1])
    assert registered.profile == "fapi2"
    answer = pushed(client, Fapi2(NewClient(registered, None), key), scope="openid name")
    assert answer.status_code == 201, answer.text


def test_the_private_key_is_shown_once_and_not_kept(client: FlaskClient) -> None:
    a_developer(client)
    page = client.post("/sandbox/applications/new", data=FAPI2)
    private = json.loads(_key_on(page.text))["d"]
    address = re.search(r"/sandbox/applications/\w{32}", page.text)
    assert address
    assert private not in client.get(address[0]).text
    with client.application.app_context():
        jwks = any_client(address[0][-32:]).jwks
    assert jwks is not None
    assert "d" not in jwks["keys"][0]


@pytest.mark.parametrize(
    ("wish", "rule"),
    [({"auth_method": "none"}, "FAPI 2.0"), ({"id_token_signed_response_alg": "RS256"}, "FAPI 2.0")],
)
def test_what_the_profile_forbids_is_refused_with_its_rule(
    client: FlaskClient, wish: dict[str, str], rule: str
) -> None:
    a_developer(client)
    page = client.post("/sandbox/applications/new", data=FAPI2 | wish)
    assert page.status_code == 422
    assert rule in page.text
