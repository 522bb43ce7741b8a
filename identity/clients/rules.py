"""What a registered application or system is, and what may be registered."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from kernel.errors import Conflict, Invalid, _

PERSON_PROFILES = ("clave-unica", "standard", "fapi2")
PROFILES = (*PERSON_PROFILES, "machine")
ENVIRONMENTS = ("sandbox", "production")
EITHER_SECRET = "client_secret"
AUTH_METHODS = (EITHER_SECRET, "client_secret_basic", "client_secret_post", "none", "private_key_jwt")
PERSON_SCOPES = ("openid", "run", "name", "profile", "email", "offline_access")
DEFAULT_SCOPES = ("openid", "run", "name", "profile", "email")
CLAVE_UNICA_SCOPES = ("openid", "run", "name", "email")

SECRETS_AT_A_TIME = 2
PREVIOUS_SECRET_LIVES = timedelta(days=7)
"""After a rotation the secret before it still works this long, so that servers can be changed one by one."""

MAX_URIS = 20
MAX_URI_CHARACTERS = 1_000
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OPERATOR = "operator"


class ClientRevoked(Conflict):
    kind = "client-revoked"
    title = _("This client has been revoked")
    explanation = _("A revoked application or system is never brought back, so that nobody can use its old secrets.")
    remedy = _("Create a new one.")


def owned_by_agency(code: str) -> str:
    """How a client's owner is written when it is an agency."""
    return f"agency:{code}"


@dataclass(frozen=True)
class StoredSecret:
    """What is kept of a secret: its SHA-256 and, once another has taken its place, when it ends."""

    sha256: str
    ends_at: datetime | None

    @classmethod
    def from_row(cls, kept: Mapping[str, str | None]) -> StoredSecret:
        ends_at = kept.get("ends_at")
        return cls(str(kept["sha256"]), datetime.fromisoformat(ends_at) if ends_at else None)

    def as_row(self) -> dict[str, str | None]:
        return {"sha256": self.sha256, "ends_at": self.ends_at.isoformat() if self.ends_at else None}

    def matches(self, digest: str, now: datetime) -> bool:
        return (self.ends_at is None or self.ends_at > now) and hmac.compare_digest(self.sha256, digest)


def after_rotation(secrets: Iterable[StoredSecret], new: str, now: datetime) -> list[StoredSecret]:
    """The secrets that live once `new` is given out: it, and the newest one before it for a few more days."""
    living = [kept for kept in secrets if kept.ends_at is None or kept.ends_at > now]
    previous = [
        StoredSecret(kept.sha256, min(kept.ends_at or now + PREVIOUS_SECRET_LIVES, now + PREVIOUS_SECRET_LIVES))
        for kept in living
    ]
    return [StoredSecret(sha256_of(new), None), *previous][:SECRETS_AT_A_TIME]


def sha256_of(secret: str) -> str:
    """What is kept of a secret. Only for secrets that we made: they are too long to be guessed from it."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class RegisteredClient:
    """A client as the protocol sees it: detached from the database, so that it may be kept in memory for a moment."""

    client_id: str
    name: str
    profile: str
    auth_method: str
    environment: str
    owner: str
    sector: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    binding: Mapping[str, str]
    secrets: tuple[StoredSecret, ...] = field(repr=False)
    agency_code: str | None
    agency_name: str | None
    agency_is_authority: bool = False

    def knows_secret(self, secret: str, now: datetime) -> bool:
        digest = sha256_of(secret)
        # Every stored secret is compared, so that the time tells nothing about which one it was.
        return sum(stored.matches(digest, now) for stored in self.secrets) > 0

    def may_authenticate_by(self, method: str) -> bool:
        """Whether the client registered this method (RFC 7591 2, token_endpoint_auth_method)."""
        if self.auth_method == EITHER_SECRET:
            return method in ("client_secret_basic", "client_secret_post")
        return method == self.auth_method

    @property
    def grant_types(self) -> frozenset[str]:
        if self.profile == "machine":
            return frozenset({"client_credentials"})
        refresh = {"refresh_token"} if "offline_access" in self.scopes else set()
        return frozenset({"authorization_code"} | refresh)


def checked_name(name: str) -> str:
    """The name without space around it. Raises Invalid."""
    name = name.strip()
    if not 3 <= len(name) <= 100 or not name.isprintable():
        raise Invalid(fields={"name": [_("A name of 3 to 100 characters.")]})
    return name


def checked_profile(profile: str, auth_method: str | None) -> str:
    """The authentication method of the profile. Raises Invalid for a profile or method that is not offered."""
    if profile == "fapi2":
        raise Invalid(fields={"profile": [_("The fapi2 profile is not offered yet: use standard.")]})
    if profile not in PROFILES:
        raise Invalid(fields={"profile": [_("One of: %(choices)s.", choices=", ".join(PROFILES[:2]))]})
    method = auth_method or EITHER_SECRET
    if method == "private_key_jwt":
        raise Invalid(fields={"auth_method": [_("Keys in place of secrets are not offered yet.")]})
    if method not in AUTH_METHODS:
        raise Invalid(fields={"auth_method": [_("One of: %(choices)s.", choices=", ".join(AUTH_METHODS[:4]))]})
    # RFC 9700 2.1.1: a client without a secret is safe with PKCE only, which nothing but `standard` makes compulsory.
    if method == "none" and profile != "standard":
        raise Invalid(fields={"auth_method": [_("Only the standard profile may go without a secret.")]})
    return method


def checked_environment(environment: str) -> str:
    """Raises Invalid."""
    if environment not in ENVIRONMENTS:
        raise Invalid(fields={"environment": [_("One of: %(choices)s.", choices=", ".join(ENVIRONMENTS))]})
    return environment


def checked_machine_scopes(scopes: Iterable[str]) -> list[str]:
    """What a system may do, each once. Raises Invalid."""
    found = sorted(set(scopes))
    if not all(re.fullmatch(r"[a-z][a-z0-9.:_-]{1,60}", scope) for scope in found) or set(found) & set(PERSON_SCOPES):
        raise Invalid(fields={"scopes": [_("Choose among what is offered.")]})
    return found


def usual_scopes(profile: str) -> tuple[str, ...]:
    """What an application of the profile may ask for when nothing else is said."""
    return CLAVE_UNICA_SCOPES if profile == "clave-unica" else DEFAULT_SCOPES


def checked_scopes(profile: str, scopes: Iterable[str]) -> list[str]:
    """The scopes a person's application may ask for, in our order. Raises Invalid."""
    asked = set(scopes) or set(usual_scopes(profile))
    allowed = CLAVE_UNICA_SCOPES if profile == "clave-unica" else PERSON_SCOPES
    if unknown := sorted(asked - set(allowed)):
        raise Invalid(
            fields={"scopes": [_("Not offered by this profile: %(scopes)s.", scopes=", ".join(unknown)[:200])]}
        )
    return [scope for scope in allowed if scope in asked | {"openid"}]


def checked_uris(uris: Iterable[str], environment: str, named: str, *, required: bool) -> list[str]:
    """Redirect addresses that may be registered, each once. Raises Invalid with the fault of the first wrong one."""
    found = list(dict.fromkeys(uri.strip() for uri in uris if uri.strip()))
    if required and not found:
        raise Invalid(fields={named: [_("At least one address to return to.")]})
    if len(found) > MAX_URIS:
        raise Invalid(fields={named: [_("At most %(count)s addresses.", count=MAX_URIS)]})
    for uri in found:
        if fault := _fault_of(uri, environment):
            raise Invalid(fields={named: [_("%(uri)s: %(fault)s", uri=uri[:200], fault=fault)]})
    return found


def _fault_of(uri: str, environment: str) -> Any:
    parts = split_uri(uri)
    if parts is None or not parts.hostname:
        return _("this is not a whole address, such as https://tramites.example.cl/entrada")
    # RFC 6749 3.1.2: the address must not include a fragment. RFC 9700 2.1: it is compared as it is, so no patterns.
    if "#" in uri or "*" in uri or parts.username is not None or parts.password is not None:
        return _("no fragment (#), no pattern (*) and no user name may be part of it")
    if parts.scheme == "https":
        return None
    if parts.scheme == "http" and parts.hostname in LOOPBACK and environment == "sandbox":
        return None
    if environment == "sandbox":
        return _("it must begin with https, or with http on this machine (localhost, 127.0.0.1)")
    return _("it must begin with https")


def split_uri(uri: str) -> SplitResult | None:
    """The parts of an address, None for what browsers and we might read differently."""
    if len(uri) > MAX_URI_CHARACTERS or not re.fullmatch(r"[!-~]+", uri) or "\\" in uri:
        return None
    try:
        parts = urlsplit(uri)
        _port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("https", "http") and parts.netloc else None


def same_authority(uri: str, registered: Iterable[str]) -> bool:
    """Whether `uri` leads to the scheme, host and port of a registered address."""
    parts = split_uri(uri)
    if parts is None or parts.username is not None or parts.password is not None:
        return False
    known = [split_uri(one) for one in registered]
    return any(
        one is not None and (one.scheme, one.hostname, one.port) == (parts.scheme, parts.hostname, parts.port)
        for one in known
    )


def sector_of(owner: str, redirect_uris: Iterable[str], client_id: str) -> str:
    """Whose applications know a person by the same `sub` (OIDC Core 8.1).

    An agency's or a developer's applications form one sector. A client without such an owner has the sector of its
    host; on loopback, one of its own.
    """
    if owner != OPERATOR:
        return owner
    hosts = {urlsplit(uri).hostname or "" for uri in redirect_uris}
    if len(hosts) != 1 or hosts & set(LOOPBACK):
        return f"client:{client_id}"
    return f"host:{hosts.pop()}"
