"""Rules of registered applications and systems: what one is, and what may be registered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from identity.agencies.rules import Period
from identity.clients.client_keys.rules import is_certificate_name
from identity.clients.client_secrets.rules import StoredSecret, sha256_of
from identity.clients.profiles.rules import (
    CERTIFICATE_SUBJECTS,
    EITHER_SECRET,
    KEY_METHODS,
    PROFILES,
    SECTOR_URI,
    URI_OPTIONS,
    auth_methods_of,
    checked_choices,
    in_words,
    is_decided,
)
from identity.clients.redirect_uris.rules import LOOPBACK, checked_uris
from kernel.base.errors import Conflict, Invalid, _
from kernel.base.parties import ANYBODY, OPERATOR, Party, PartyKind
from kernel.base.text import fault_of_lines, is_email

PERSON_PROFILES = tuple(PROFILES)
ENVIRONMENTS = ("sandbox", "certification", "production")
PERSON_SCOPES = ("openid", "run", "name", "profile", "email", "account", "offline_access")
DEFAULT_SCOPES = ("openid", "run", "name", "profile", "email")
CLAVE_UNICA_SCOPES = ("openid", "run", "name", "email")

MAX_CONTACTS = 5
PUBLIC_SECTOR = "public"
"""The sector of the applications that the authority lets know people by the same `sub` as each other (OIDC Core 8)."""
SECTORS = ("owner", "application", "public")
"""Kinds of sectors, in which applications share the `sub` of a person: its owner's others, nobody, or all that may."""
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class ClientRevoked(Conflict):
    kind = "client-revoked"
    title = _("This client has been revoked")
    explanation = _("A revoked application or system is never brought back, so that nobody can use its old secrets.")
    remedy = _("Create a new one.")


class NeedsApproval(Conflict):
    kind = "client-change-needs-approval"
    title = _("The authority has to approve this change")
    explanation = _(
        "For an application in use, a new name, profile or sector, and anything that gives it more, must "
        "be approved first."
    )
    remedy = _("Ask the authority. The application stays as it is until the answer comes.")


def client_party(client_id: str) -> str:
    """The prefix of a client where it is a party itself: what is sent to its own server is its own."""
    return f"client:{client_id}"


@dataclass(frozen=True)
class RegisteredClient:
    """A client as the protocol sees it: detached from the database, so that it may be kept in memory for a moment."""

    client_id: str
    name: str
    profile: str
    auth_method: str
    environment: str
    owner: Party
    sector: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    service_binding: Mapping[str, str]
    secrets: tuple[StoredSecret, ...] = field(repr=False)
    agency_code: str | None
    agency_name: str | None
    agency_is_authority: bool = False
    agency_period: Period | None = None
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    jwks_uri: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    logo: str | None = None

    def is_active_on(self, day: date) -> bool:
        """Whether it may do anything: the client of an agency that has ended does nothing any more."""
        return self.agency_period is None or self.agency_period.covers(day)

    @property
    def is_for_test_persons(self) -> bool:
        """Until it is in use, nobody's real data is used."""
        return self.environment != "production"

    def knows_secret(self, secret: str, now: datetime) -> bool:
        digest = sha256_of(secret)
        # Every stored secret is compared, so that the time tells nothing about which one it was.
        return sum(stored.matches(digest, now) for stored in self.secrets) > 0

    @property
    def is_unverified(self) -> bool:
        """Whether nobody whom we know answers for it: it registered itself, or whoever signed up in the sandbox did."""
        return self.owner.kind in (PartyKind.ANYBODY, PartyKind.DEVELOPER)

    @property
    def has_claims_in_id_token(self) -> bool:
        """Whether it chose to have names and e-mail in the ID token too, for libraries that read nothing else."""
        return bool(self.options.get("claims_in_id_token"))

    def may_authenticate_by(self, method: str) -> bool:
        """Whether the client registered this method (RFC 7591 2, token_endpoint_auth_method)."""
        if self.auth_method == EITHER_SECRET:
            return method in ("client_secret_basic", "client_secret_post")
        return method == self.auth_method

    @property
    def grant_types(self) -> frozenset[str]:
        if self.profile == "machine":
            return frozenset({"client_credentials", TOKEN_EXCHANGE, JWT_BEARER})
        refresh = {"refresh_token"} if "offline_access" in self.scopes else set()
        profile = PROFILES[self.profile]
        # RFC 8628 5.4: whoever knows the name of a client could have people let a device of theirs in, so only clients
        # that have devices have the grant.
        device = {DEVICE_CODE} if profile.device_flow and self.options.get("device_flow") else set()
        # RFC 8693 5: whoever has no credentials must not go on with a token that it may have stolen.
        exchange = {TOKEN_EXCHANGE} if profile.token_exchange and self.auth_method != "none" else set()
        return frozenset({"authorization_code"} | refresh | device | exchange)


@dataclass(frozen=True)
class Registration:
    """An owner's description of an application: all of it at once, so that a change is the same as beginning anew."""

    name: str
    profile: str
    redirect_uris: Sequence[str]
    post_logout_redirect_uris: Sequence[str] = ()
    scopes: Sequence[str] = ()
    auth_method: str | None = None
    jwks: object = None
    jwks_uri: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    logo_uri: str | None = None
    contacts: Sequence[str] = ()
    scope_reasons: Mapping[str, str] = field(default_factory=dict)
    sector: str | None = None
    """One of SECTORS; None leaves it as it is."""
    logo: str | None = None
    """The SHA-256 of a picture that we keep, empty for none; None leaves it as it is."""


def checked_registration(registration: Registration, environment: str) -> Registration:
    """Return the registration as it is stored; the keys themselves are checked where they can be read. Raises
    Invalid.
    """
    method = checked_profile(registration.profile, registration.auth_method)
    options = checked_options(registration.profile, environment, registration.options)
    check_credentials(method, registration.jwks, registration.jwks_uri, options)
    scopes = checked_scopes(registration.profile, registration.scopes)
    return Registration(
        name=checked_name(registration.name),
        profile=registration.profile,
        redirect_uris=checked_uris(registration.redirect_uris, environment, "redirect_uris", required=True),
        post_logout_redirect_uris=checked_uris(
            registration.post_logout_redirect_uris, environment, "post_logout_redirect_uris", required=False
        ),
        scopes=scopes,
        auth_method=method,
        jwks=registration.jwks,
        jwks_uri=(registration.jwks_uri or "").strip() or None,
        options=options,
        logo_uri=checked_logo(registration.logo_uri),
        contacts=checked_contacts(registration.contacts),
        scope_reasons=checked_reasons(registration.scope_reasons, scopes),
        sector=checked_sector(registration.sector),
        logo=registration.logo,
    )


def needing_approval(before: Registration, after: Registration) -> list[str]:
    """Return the fields of a change that the authority decides once an application is in use; taking something away is
    the owner's.
    """
    other = [name for name in ("name", "profile", "sector") if getattr(after, name) != getattr(before, name)]
    lists = ("redirect_uris", "post_logout_redirect_uris", "scopes")
    wider = [name for name in lists if set(getattr(after, name)) - set(getattr(before, name))]
    gained = {
        "logo": after.logo not in ("", before.logo),
        "auth_method": after.auth_method == "none" != before.auth_method,
        "options": is_decided(before.options, after.options),
    }
    return [*other, *wider, *(name for name, is_so in gained.items() if is_so)]


def checked_name(name: str) -> str:
    """The name without space around it. Raises Invalid."""
    name = name.strip()
    if not 3 <= len(name) <= 100 or not name.isprintable():
        raise Invalid(fields={"name": [_("A name of 3 to 100 characters.")]})
    return name


def checked_profile(profile: str, auth_method: str | None) -> str:
    """The authentication method of the profile. Raises Invalid for a profile or method that is not offered."""
    if profile not in PROFILES:
        raise Invalid(fields={"profile": [_("One of: %(choices)s.", choices=", ".join(PROFILES))]})
    return checked_method(profile, auth_method)


def checked_method(profile: str, auth_method: str | None) -> str:
    """The authentication method of a client of the profile; the first that the profile allows if none is named."""
    allowed = auth_methods_of(profile)
    method = auth_method or allowed[0]
    if method in allowed:
        return method
    # RFC 6749 4.4: a system has credentials. Where a profile allows every way, this one is none at all (RFC 7591 2).
    rules = PROFILES[profile].rules if profile in PROFILES else {"auth_methods": "RFC 6749 4.4"}
    rule, choices = rules.get("auth_methods", "RFC 7591 2"), ", ".join(allowed)
    raise Invalid(fields={"auth_method": [_("%(rule)s: one of: %(choices)s.", rule=in_words(rule), choices=choices)]})


def check_credentials(method: str, jwks: object, jwks_uri: str | None, options: Mapping[str, Any]) -> None:
    """Whether the client brings what its way to authenticate needs. Raises Invalid."""
    # RFC 7591 2: jwks and jwks_uri must not both be present.
    if jwks is not None and jwks_uri is not None:
        raise Invalid(fields={"jwks_uri": [_("RFC 7591 2: either the keys or their address, not both.")]})
    if method in KEY_METHODS and jwks is None and jwks_uri is None:
        raise Invalid(fields={"jwks": [_("This way to authenticate needs public keys, or the address of them.")]})
    if method == "none" and options.get("pkce_optional"):
        raise Invalid(fields={"pkce_optional": [_("RFC 9700 2.1.1: without credentials it has to send PKCE.")]})
    subjects = [name for name in CERTIFICATE_SUBJECTS if name in options]
    # RFC 8705 2.1.2: exactly one of the subject's names is registered.
    if (method == "tls_client_auth") != (len(subjects) == 1):
        name = subjects[0] if subjects else CERTIFICATE_SUBJECTS[0]
        raise Invalid(fields={name: [_("RFC 8705 2.1.2: exactly one name of the certificate, with tls_client_auth.")]})
    if subjects and not is_certificate_name(subjects[0], options[subjects[0]]):
        raise Invalid(fields={subjects[0]: [_("No certificate has such a name.")]})


def checked_options(profile: str, environment: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client's options as they are stored. Raises Invalid."""
    choices = checked_choices(profile, options)
    for name in URI_OPTIONS:
        if name in choices:
            given = choices[name] if isinstance(choices[name], str) else ""
            choices[name] = checked_uris([given], environment, name, required=True)[0]
    return choices


def checked_logo(uri: str | None) -> str | None:
    """An address of a picture, which our pages show as text and never fetch. Raises Invalid."""
    return checked_uris([uri], "production", "logo_uri", required=True)[0] if uri and uri.strip() else None


def checked_contacts(contacts: Iterable[str]) -> list[str]:
    """Addresses of mail, each once. Raises Invalid."""
    unique = list(dict.fromkeys(one.strip() for one in contacts if one.strip()))
    if len(unique) > MAX_CONTACTS or not all(is_email(one) for one in unique):
        raise Invalid(fields={"contacts": [_("At most five e-mail addresses.")]})
    return unique


def checked_reasons(reasons: Mapping[str, str], scopes: Iterable[str]) -> dict[str, str]:
    """Why the application needs each scope, of those that it has. Raises Invalid."""
    given_reasons = {scope: reasons[scope].strip() for scope in scopes if reasons.get(scope, "").strip()}
    if any(len(reason) > 500 for reason in given_reasons.values()):
        raise Invalid(fields={"scope_reasons": [_("A reason can have at most 500 characters.")]})
    if faults := [fault for reason in given_reasons.values() if (fault := fault_of_lines(reason))]:
        raise Invalid(fields={"scope_reasons": faults[:1]})
    return given_reasons


def checked_sector(sector: str | None) -> str | None:
    """Raises Invalid."""
    if sector is not None and sector not in SECTORS:
        raise Invalid(fields={"sector": [_("One of: %(choices)s.", choices=", ".join(SECTORS))]})
    return sector


def checked_environment(environment: str) -> str:
    """Raises Invalid."""
    if environment not in ENVIRONMENTS:
        raise Invalid(fields={"environment": [_("One of: %(choices)s.", choices=", ".join(ENVIRONMENTS))]})
    return environment


def checked_machine_scopes(scopes: Iterable[str]) -> list[str]:
    """Return a system's scopes, each once. Raises Invalid."""
    unique = sorted(set(scopes))
    if not all(re.fullmatch(r"[a-z][a-z0-9.:_-]{1,60}", scope) for scope in unique) or set(unique) & set(PERSON_SCOPES):
        raise Invalid(fields={"scopes": [_("Choose from what is offered.")]})
    return unique


def usual_scopes(profile: str) -> tuple[str, ...]:
    """Return the scopes that an application of the profile may ask for when nothing else is said."""
    return CLAVE_UNICA_SCOPES if profile == "clave-unica" else DEFAULT_SCOPES


def scopes_of(profile: str) -> tuple[str, ...]:
    """Every scope that an application of the profile may be registered for."""
    return CLAVE_UNICA_SCOPES if profile == "clave-unica" else PERSON_SCOPES


def checked_scopes(profile: str, scopes: Iterable[str]) -> list[str]:
    """The scopes a person's application may ask for, in our order. Raises Invalid."""
    requested_scopes = set(scopes) or set(usual_scopes(profile))
    allowed = scopes_of(profile)
    if unknown := ", ".join(sorted(requested_scopes - set(allowed))):
        rule = in_words(PROFILES[profile].rules.get("scopes", "RFC 6749 3.3"))
        raise Invalid(fields={"scopes": [_("%(rule)s: not offered: %(scopes)s.", rule=rule, scopes=unknown[:200])]})
    return [scope for scope in allowed if scope in requested_scopes | {"openid"}]


def check_sector_members(published: object, redirect_uris: Iterable[str]) -> None:
    """OIDC Registration 5: a JSON array of addresses, every redirect_uri of the client among them. Raises Invalid."""
    if not isinstance(published, list) or not all(isinstance(one, str) for one in published):
        raise Invalid(fields={SECTOR_URI: [_("The address did not answer with a JSON array of addresses.")]})
    if missing := [uri for uri in redirect_uris if uri not in published]:
        raise Invalid(fields={SECTOR_URI: [_("It does not name %(uri)s.", uri=missing[0][:200])]})


def sector_kind(sector: str) -> str:
    """Return the sector's kind, one of SECTORS."""
    if sector == PUBLIC_SECTOR:
        return "public"
    return "application" if sector.startswith("client:") else "owner"


def sector_named(kind: str | None, owner: Party, addresses: Iterable[str], client_id: str) -> str:
    """The sector of this kind, of this application; addresses: those that `sector_of` looks at."""
    if kind == "public":
        return PUBLIC_SECTOR
    return f"client:{client_id}" if kind == "application" else sector_of(owner, addresses, client_id)


def sector_of(owner: Party, addresses: Iterable[str], client_id: str) -> str:
    """Return the sector whose applications know a person by the same `sub` (OIDC Core 8.1).

    An agency's or a developer's applications form one sector. A client without such an owner has the sector of its
    host, that of the address where it publishes its sector or that of where it returns to; on loopback, one of its own.
    """
    if owner not in (OPERATOR, ANYBODY):
        return str(owner)
    hosts = {urlsplit(uri).hostname or "" for uri in addresses}
    if len(hosts) != 1 or hosts & set(LOOPBACK):
        return f"client:{client_id}"
    return f"host:{hosts.pop()}"
