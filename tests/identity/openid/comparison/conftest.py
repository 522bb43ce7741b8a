"""Ours and npm's oidc-provider, with the same clients, started once for all comparisons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from builders.clients import CALLBACK, LEFT, a_client, a_system
from builders.comparison import Known, Provider
from builders.databases import a_database
from builders.foreign import installed
from builders.identity import PASSWORD, a_person, an_agency
from builders.keys import Key, a_key, public
from builders.own_keys import own_key
from builders.settings import settings_of_tests
from flask import Flask

from kernel.database.db import ENGINE
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres

SCOPES = ("openid", "name", "email", "offline_access")
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SECRET = "a secret of the comparison, long enough for everyone"
WEB = {
    "redirect_uris": [CALLBACK],
    "post_logout_redirect_uris": [LEFT],
    "response_types": ["code"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": " ".join(SCOPES),
}


@pytest.fixture(scope="package")
def web_key() -> Key:
    """The key of `web`, which signs requests with it."""
    return a_key("EC", kid="of-web")


@pytest.fixture(scope="package")
def app(postgres: EmbeddedPostgres, worker_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with a_database(postgres, "comparison") as url:
        application = create_app(settings_of_tests(url, tmp_path_factory.mktemp("comparison") / "var"))
        application.config["TESTING"] = True
        yield application
        ENGINE.of(application).dispose()


@pytest.fixture(scope="package")
def ours(app: Flask, web_key: Key) -> Provider:
    with app.app_context():
        an_agency("AE001")
        person = a_person(is_test_person=True)
        devices = {"device_flow": True}
        basic: dict[str, Any] = {"scopes": SCOPES, "auth_method": "client_secret_basic", "options": devices}
        made = {
            "web": a_client("standard", name="Una aplicación", jwks=public(web_key), **basic),
            "other": a_client("standard", name="Otra aplicación", **basic),
            "signing": a_client(
                "standard", name="Firma", scopes=SCOPES, auth_method="private_key_jwt", jwks=public(web_key)
            ),
            "public": a_client("standard", name="Un programa", scopes=SCOPES, auth_method="none", options=devices),
            "system": a_system(auth_method="client_secret_basic"),
        }
    transport = httpx2.WSGITransport(app=app.wsgi_app)
    metadata = httpx2.Client(transport=transport).get("http://localhost/openid/.well-known/openid-configuration")
    clients = {name: Known(one.client.client_id, one.secret) for name, one in made.items()}
    with app.app_context():
        signs = own_key("openid")
    provider = Provider(metadata.json(), clients, signs, web_key, transport, str(person.run))
    provider.sign_in(PASSWORD)
    return provider


@pytest.fixture(scope="package")
def theirs(tmp_path_factory: pytest.TempPathFactory, web_key: Key) -> Iterator[Provider]:
    """npm's oidc-provider, as the lock beside this file has it."""
    node = installed(Path(__file__).parent, tmp_path_factory.mktemp("oidc-provider") / "server")
    clients: list[dict[str, Any]] = [
        {"client_id": "web", "client_secret": SECRET, "jwks": public(web_key), **WEB},
        {"client_id": "other", "client_secret": SECRET, **WEB},
        {
            "client_id": "signing",
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": public(web_key),
            **WEB,
        },
        {
            "client_id": "public",
            "token_endpoint_auth_method": "none",
            **WEB,
            "grant_types": ["authorization_code", "refresh_token", DEVICE],
        },
        {
            "client_id": "system",
            "client_secret": SECRET,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["client_credentials"],
        },
    ]
    own_key = a_key("EC", kid="of-the-provider")
    with node.serving("oidc-provider", clients=clients, jwk=own_key.as_dict(private=True)) as address:
        metadata = httpx2.get(f"{address}/.well-known/openid-configuration")
        known = {one["client_id"]: Known(one["client_id"], one.get("client_secret")) for one in clients}
        provider = Provider(metadata.json(), known, own_key, web_key)
        provider.sign_in("any")
        yield provider
