"""Signing in with Cordillera, as an agency's own site does it: OpenID Connect's code flow with PKCE, on Authlib."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

SCOPE = "openid run profile email"
TIMEOUT_SECONDS = 10
ALGORITHMS = ["ES256"]


class LoginFailed(Exception):
    """The sign-in did not work out; `reason` is one of `words.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Registration:
    """The registration that the seed wrote for this site."""

    client_id: str
    client_secret: str


def registration() -> Registration:
    """The site's credentials, read at each sign-in: the seed may come after the site. Raises LoginFailed."""
    path = Path(os.environ.get("CORDILLERA_DATA_DIR", "var")) / "demonstration.json"
    try:
        client = json.loads(path.read_text(encoding="utf-8"))
        return Registration(client["client_id"], client["client_secret"])
    except (OSError, ValueError, KeyError) as error:
        raise LoginFailed("not-registered") from error


def issuer() -> str:
    return os.environ.get("CORDILLERA_BASE_URL", "http://localhost:8000").rstrip("/") + "/openid"


def begin(redirect_uri: str, language: str) -> tuple[str, dict[str, str]]:
    """Begin a sign-in: the address for the browser, and the values to remember until it comes back. Raises
    LoginFailed.
    """
    flow = {"code_verifier": secrets.token_urlsafe(48), "nonce": secrets.token_urlsafe(24)}
    with _client(redirect_uri) as client:
        address, flow["state"] = client.create_authorization_url(
            _metadata()["authorization_endpoint"], ui_locales=language, state=secrets.token_urlsafe(32), **flow
        )
    return address, flow


def finish(redirect_uri: str, flow: Mapping[str, str], answer: Mapping[str, str]) -> dict[str, Any]:
    """The person's claims and the ID token, out of the answer that the browser brought. Raises LoginFailed."""
    # RFC 6749 10.12: an answer to a question that this browser did not ask is somebody else's.
    if not flow or not secrets.compare_digest(answer.get("state", "").encode(), flow["state"].encode()):
        raise LoginFailed("stale")
    if answer.get("error") == "access_denied":
        raise LoginFailed("refused")
    if not answer.get("code"):
        raise LoginFailed("failed")
    metadata = _metadata()
    try:
        with _client(redirect_uri) as client:
            token = client.fetch_token(
                metadata["token_endpoint"], code=answer["code"], code_verifier=flow["code_verifier"]
            )
            _check_id_token(token["id_token"], flow["nonce"], metadata)
            claims = client.get(metadata["userinfo_endpoint"]).raise_for_status().json()
    except (OAuthError, JoseError, httpx2.HTTPError, KeyError, ValueError) as error:
        raise LoginFailed("failed") from error
    return {"claims": claims, "id_token": token["id_token"]}


def sign_out_address(id_token: str, back_to: str) -> str:
    """OpenID Connect RP-Initiated Logout 1.0: where to send the browser to leave Cordillera too. Raises LoginFailed."""
    query = urlencode({"id_token_hint": id_token, "post_logout_redirect_uri": back_to})
    return f"{_metadata()['end_session_endpoint']}?{query}"


def _client(redirect_uri: str) -> OAuth2Client:
    known = registration()
    return OAuth2Client(
        known.client_id,
        known.client_secret,
        scope=SCOPE,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        timeout=TIMEOUT_SECONDS,
    )


def _metadata() -> dict[str, Any]:
    metadata = _fetch(f"{issuer()}/.well-known/openid-configuration")
    if metadata.get("issuer") != issuer():
        raise LoginFailed("failed")
    return metadata


def _fetch(address: str) -> dict[str, Any]:
    try:
        answer = httpx2.get(address, timeout=TIMEOUT_SECONDS).raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise LoginFailed("unreachable") from error
    return dict(answer)


def _check_id_token(id_token: str, nonce: str, metadata: Mapping[str, Any]) -> None:
    """OpenID Connect Core 3.1.3.7. Raises JoseError."""
    keys = KeySet.import_key_set(_fetch(metadata["jwks_uri"]))  # type: ignore[arg-type]
    claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
    jwt.JWTClaimsRegistry(
        leeway=30,
        iss={"essential": True, "value": issuer()},
        aud={"essential": True, "value": registration().client_id},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
