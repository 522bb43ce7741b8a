"""Dynamic registration (RFC 7591, RFC 7592, OpenID Connect Registration 1.0): metadata to a registration and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from identity.clients.client_secrets.rules import StoredSecret
from identity.clients.profiles.rules import EITHER_SECRET, OPTIONS, PROFILES
from identity.clients.registry.rules import DEVICE_CODE, PUBLIC_SECTOR, Registration, usual_scopes
from kernel.base.errors import Invalid, Problem, _

MAX_BODY_BYTES = 64 * 1024
MAX_USES = 100
MAX_DAYS = 365
ID_TOKEN_ALGORITHM = "id_token_signed_response_alg"
USUAL_ALGORITHM = "RS256"
UNUSED_LIFETIME = timedelta(days=30)
"""The time for which a client that registered itself stays in the open sandbox without anybody signing in to it."""
GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE)
# RFC 7592 2.2: what we say and the client must not say back.
OURS = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")


class InvalidClientMetadata(Problem):
    """RFC 7591 3.2.2."""

    kind = "oauth-invalid-client-metadata"
    status = 400
    title = "invalid_client_metadata"
    explanation = _("One of the values that describe the client is missing or not accepted.")
    remedy = _("The description names it and says what is expected; the profile may forbid what others allow.")
    oauth_error = "invalid_client_metadata"


class InvalidRedirectUri(InvalidClientMetadata):
    """RFC 7591 3.2.2."""

    kind = "oauth-invalid-redirect-uri"
    title = "invalid_redirect_uri"
    explanation = _("One of the addresses to return to is not accepted.")
    remedy = _("Use https, no fragment and no pattern; in the sandbox also http on your own machine.")
    oauth_error = "invalid_redirect_uri"


class UnapprovedSoftwareStatement(InvalidClientMetadata):
    """RFC 7591 3.2.2."""

    kind = "oauth-unapproved-software-statement"
    title = "unapproved_software_statement"
    explanation = _("Software statements are not accepted.")
    remedy = _("Send the values themselves.")
    oauth_error = "unapproved_software_statement"


class InvalidRegistrationToken(Problem):
    """RFC 6750 3.1."""

    kind = "oauth-invalid-registration-token"
    status = 401
    title = "invalid_token"
    explanation = _("The token to register or manage a client with is missing, unknown, used up, expired or revoked.")
    remedy = _("Ask your agency's administrator for a new initial access token; each client is managed with its own.")
    oauth_error = "invalid_token"


def in_words_of_rfc_7591(problem: Invalid) -> InvalidClientMetadata:
    """The first field that is wrong, as its error."""
    name, messages = next(iter(problem.fields.items()), ("", [problem.detail or problem.title]))
    kind = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
    member = {"auth_method": "token_endpoint_auth_method", "name": "client_name", "scopes": "scope"}.get(name, name)
    return kind(_("%(name)s: %(fault)s", name=member, fault=messages[0]))


def registration_from(metadata: Mapping[str, Any]) -> Registration:
    """Read a registration out of a client's metadata. What nobody knows is passed over (RFC 7591 2). Raises
    InvalidClientMetadata.
    """
    if metadata.get("software_statement") is not None:
        raise UnapprovedSoftwareStatement()
    profile = _text(metadata, "profile") or "standard"
    if profile not in PROFILES:
        raise InvalidClientMetadata(f"profile: One of: {', '.join(PROFILES)}.")
    redirect_uris = _texts(metadata, "redirect_uris")
    return Registration(
        name=_text(metadata, "client_name") or _host_of(redirect_uris),
        profile=profile,
        redirect_uris=redirect_uris,
        post_logout_redirect_uris=_texts(metadata, "post_logout_redirect_uris"),
        scopes=_scopes(metadata, profile),
        auth_method=_method(metadata, profile),
        jwks=metadata.get("jwks"),
        jwks_uri=_text(metadata, "jwks_uri"),
        options=_options(metadata, profile),
        logo_uri=_text(metadata, "logo_uri"),
        contacts=_texts(metadata, "contacts"),
        scope_reasons=_reasons(metadata),
    )


def _options(metadata: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Further choices. RFC 7591 2: who is to have the device flow says so among its grant_types."""
    options = {name: metadata[name] for name in OPTIONS if metadata.get(name) is not None and name != "device_flow"}
    # OpenID Connect Registration 2: RS256 for who leaves it out, unless the profile forbids it (FAPI 2.0 5.4.1).
    if ID_TOKEN_ALGORITHM not in options and USUAL_ALGORITHM in PROFILES[profile].signing_algorithms:
        options[ID_TOKEN_ALGORITHM] = USUAL_ALGORITHM
    return options | ({"device_flow": True} if DEVICE_CODE in _texts(metadata, "grant_types") else {})


def _method(metadata: Mapping[str, Any], profile: str) -> str | None:
    method = _text(metadata, "token_endpoint_auth_method")
    # RFC 7591 2: client_secret_basic if it is left out, unless the profile wants more.
    if method is None:
        return "client_secret_basic" if "client_secret_basic" in PROFILES[profile].auth_methods else None
    if method == EITHER_SECRET:
        raise InvalidClientMetadata("token_endpoint_auth_method: client_secret_basic or client_secret_post.")
    return method


def _scopes(metadata: Mapping[str, Any], profile: str) -> list[str]:
    """RFC 7591 2.1: grant_types and response_types have to fit each other, and what we offer."""
    grants = _texts(metadata, "grant_types") or ["authorization_code"]
    if "authorization_code" not in grants or set(grants) - set(GRANT_TYPES):
        raise InvalidClientMetadata(f"grant_types: authorization_code, and besides: {', '.join(GRANT_TYPES[1:])}.")
    if DEVICE_CODE in grants and not PROFILES[profile].device_flow:
        raise InvalidClientMetadata(f"grant_types: {PROFILES[profile].rules['device_flow']}: no device flow.")
    if (_texts(metadata, "response_types") or ["code"]) != ["code"]:
        raise InvalidClientMetadata("response_types: code.")
    if metadata.get("subject_type") not in (None, "pairwise"):
        raise InvalidClientMetadata("subject_type: pairwise. A public one needs the authority's approval.")
    if metadata.get("application_type") not in (None, "web", "native"):
        raise InvalidClientMetadata("application_type: web or native.")
    scopes = (_text(metadata, "scope") or "").split() or list(usual_scopes(profile))
    return [*scopes, "offline_access"] if "refresh_token" in grants and "offline_access" not in scopes else scopes


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    if value is not None and (not isinstance(value, str) or "\x00" in value or len(value) > 2_000):
        raise InvalidClientMetadata(f"{name}: a text of at most 2000 characters.")
    return value or None


def _texts(metadata: Mapping[str, Any], name: str) -> list[str]:
    value = metadata.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 100 or not all(isinstance(one, str) for one in value):
        kind = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
        raise kind(f"{name}: a list of texts.")
    return value


def _reasons(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Ours: why each scope is needed, by its name."""
    value = metadata.get("scope_reasons") or {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise InvalidClientMetadata("scope_reasons: an object of texts.")
    return dict(value)


def _host_of(redirect_uris: Iterable[str]) -> str:
    try:
        return next((urlsplit(uri).hostname or "" for uri in redirect_uris), "")
    except ValueError:
        return ""


def metadata_of(registration: Registration, sector: str) -> dict[str, Any]:
    """Write a registration as metadata, with what was left out filled in (RFC 7591 3.2.1)."""
    grants = ["authorization_code"]
    grants += ["refresh_token"] if "offline_access" in registration.scopes else []
    grants += [DEVICE_CODE] if registration.options.get("device_flow") else []
    metadata = {
        "client_name": registration.name,
        "profile": registration.profile,
        "redirect_uris": registration.redirect_uris,
        "post_logout_redirect_uris": registration.post_logout_redirect_uris,
        "token_endpoint_auth_method": "client_secret_basic"
        if registration.auth_method == EITHER_SECRET
        else registration.auth_method,
        "grant_types": grants,
        "response_types": ["code"],
        "scope": " ".join(registration.scopes),
        "subject_type": "public" if sector == PUBLIC_SECTOR else "pairwise",
        "jwks": registration.jwks,
        "jwks_uri": registration.jwks_uri,
        "logo_uri": registration.logo_uri,
        "contacts": registration.contacts,
        "scope_reasons": registration.scope_reasons or None,
        "id_token_signed_response_alg": PROFILES[registration.profile].id_token_algorithm,
        **{name: value for name, value in registration.options.items() if name != "device_flow"},
    }
    return {name: value for name, value in metadata.items() if value not in (None, [])}


def end_in_seconds(secrets: Iterable[Mapping[str, Any]]) -> int:
    """RFC 7591 3.2.1, client_secret_expires_at: 0 for one that does not end."""
    newest = next((StoredSecret.from_row(row) for row in secrets), None)
    return int(newest.ends_at.timestamp()) if newest and newest.ends_at else 0


def check_unchanged(metadata: Mapping[str, Any], client_id: str, knows_secret: bool) -> None:
    """RFC 7592 2.2: the client_id is there and its own; what it must not send is not there. Raises."""
    if metadata.get("client_id") != client_id:
        raise InvalidClientMetadata("client_id: the one of this client has to be there.")
    if sent := [name for name in OURS if name in metadata]:
        raise InvalidClientMetadata(f"{sent[0]}: it must not be sent.")
    if not knows_secret:
        raise InvalidClientMetadata("client_secret: it must be the present one.")


def checked_token(purpose: str, uses: int, days: int) -> tuple[str, timedelta]:
    """Check the purpose of an initial access token, and return it with the token's lifetime. Raises Invalid."""
    purpose = purpose.strip()
    if not 3 <= len(purpose) <= 200 or not purpose.isprintable():
        raise Invalid(fields={"purpose": [_("A sentence of 3 to 200 characters.")]})
    if not 1 <= uses <= MAX_USES:
        raise Invalid(fields={"uses": [_("From 1 to %(most)s.", most=MAX_USES)]})
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(fields={"days": [_("From 1 to %(most)s.", most=MAX_DAYS)]})
    return purpose, timedelta(days=days)


def is_active(uses_left: int, expires_at: datetime, revoked_at: datetime | None, now: datetime) -> bool:
    """Whether an initial access token may be used."""
    return uses_left > 0 and expires_at > now and revoked_at is None
