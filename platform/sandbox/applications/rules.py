"""Rules of the sandbox: what a developer may have there, and the settings that an application is built with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from kernel.base.errors import Conflict, _

MAX_APPLICATIONS = 20
SECRET_PLACEHOLDER = "YOUR_CLIENT_SECRET"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TooManyApplications(Conflict):
    kind = "too-many-applications"
    title = _("You have as many applications as the sandbox allows")
    explanation = _("A developer may have 20 applications at a time.")
    remedy = _("Delete one that you no longer use.")


def lines_of(text: str) -> list[str]:
    """The addresses of a text area, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def trial_address(base_url: str) -> str | None:
    """The sandbox's own page to return to, for trying an application of which nothing runs yet.

    None where the platform is served by http on a network: the sandbox accepts http on the developer's machine only.
    """
    parts = urlsplit(base_url)
    return f"{base_url}/sandbox/try" if parts.scheme == "https" or parts.hostname in LOOPBACK else None


def own_addresses(addresses: Iterable[str], base_url: str) -> list[str]:
    """The addresses that the developer wrote, without the one that the sandbox added."""
    return [address for address in addresses if address != trial_address(base_url)]


def with_trial(addresses: Iterable[str], base_url: str) -> list[str]:
    """The addresses that the developer wrote and, where there are any, the sandbox's own."""
    own, trial = own_addresses(addresses, base_url), trial_address(base_url)
    return [*own, trial] if own and trial else own


def with_choices(options: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Merge new choices over those that the application made before; a false or empty one takes a choice back."""
    return {name: value for name, value in {**options, **choices}.items() if value or name not in choices}


def snippets_for(profile: str, auth_method: str, options: Mapping[str, Any]) -> list[str]:
    """The pieces of code that fit an application."""
    if profile == "fapi2":
        return []
    if auth_method == "none":
        names = ["browser.txt", "curl.txt"]
    else:
        names = ["authlib.txt", "curl.txt"] if profile == "standard" else ["django.txt", "authlib.txt", "curl.txt"]
    return names + (["device.txt"] if options.get("device_flow") else [])


@dataclass(frozen=True)
class Endpoints:
    """The provider's endpoints, as an application finds them."""

    base_url: str

    @property
    def issuer(self) -> str:
        return f"{self.base_url}/openid"

    @property
    def discovery(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def authorize(self) -> str:
        return f"{self.issuer}/authorize"

    @property
    def par(self) -> str:
        return f"{self.issuer}/par"

    @property
    def token(self) -> str:
        return f"{self.issuer}/token"

    @property
    def device_authorization(self) -> str:
        return f"{self.issuer}/device_authorization"

    @property
    def userinfo(self) -> str:
        return f"{self.issuer}/userinfo"

    @property
    def end_session(self) -> str:
        return f"{self.issuer}/end-session"

    @property
    def clave_unica_logout(self) -> str:
        return f"{self.base_url}/api/v1/accounts/app/logout"


@dataclass(frozen=True)
class Trial:
    """A sign-in that the sandbox starts in an application's name: what it must find again when the browser returns."""

    client_id: str
    state: str
    nonce: str
    code_verifier: str

    @property
    def code_challenge(self) -> str:
        """RFC 7636 4.2: S256."""
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def address(self, endpoints: Endpoints, redirect_uri: str, scope: str) -> str:
        """Return the address to which the browser goes to sign in."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoints.authorize}?{urlencode(query)}"
