"""Metadata of the provider (OIDC Discovery 3, RFC 8414 2, RFC 9728 2), from the tables that it works by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, url_for

from identity.clients.profiles.rules import (
    ANSWERS,
    AUTH_METHODS,
    CERTIFICATE_METHODS,
    CONTENT_ENCRYPTIONS,
    ENCRYPTION_ALGORITHMS,
    OUR_ALGORITHMS,
    SIGNING_ALGORITHMS,
)
from identity.clients.registry.rules import PERSON_SCOPES
from identity.openid.authorization.request_metadata import request_metadata
from identity.openid.issuer import issuer as own_issuer
from identity.openid.token_endpoint.authentication import METHODS
from identity.openid.token_endpoint.grant_types import GRANTS
from identity.openid.tokens.proofs import dpop, mutual_tls
from kernel.base.installation import settings
from kernel.jobs.access import MACHINE_SCOPES

CLAIMS = (
    *("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid"),
    *("RolUnico", "name", "given_name", "family_name", "email", "email_verified"),
)
ENDPOINTS = {
    "token_endpoint": "openid.token",
    "userinfo_endpoint": "openid.userinfo",
    "jwks_uri": "openid.jwks",
    "introspection_endpoint": "openid.introspect",
    "revocation_endpoint": "openid.revoke",
    "device_authorization_endpoint": "openid.device_authorization",
    "end_session_endpoint": "openid.end_session",
    "registration_endpoint": "openid.register",
}
WITH_CERTIFICATE = (
    *("token_endpoint", "revocation_endpoint", "introspection_endpoint", "device_authorization_endpoint"),
    *("pushed_authorization_request_endpoint", "userinfo_endpoint"),
)
AUTHENTICATED = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")


def provider_metadata() -> dict[str, Any]:
    """OIDC Discovery 3 and RFC 8414 2 in one: neither minds the members of the other."""
    issuer = own_issuer()
    metadata = {
        "issuer": issuer,
        **request_metadata(issuer),
        **_endpoints(),
        **_authentication(),
        "scopes_supported": list(PERSON_SCOPES),
        "grant_types_supported": list(GRANTS),
        "subject_types_supported": ["pairwise", "public"],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        **_answers(),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": mutual_tls.is_offered(),
        "protected_resources": [settings().base_url, f"{settings().base_url}/api/v1"],
        "service_documentation": f"{settings().base_url}/developers",
    }
    return metadata | _aliases(metadata)


def _endpoints() -> dict[str, str]:
    """The endpoints that are there, where they are."""
    views = {name: view for name, view in ENDPOINTS.items() if view in current_app.view_functions}
    return {name: settings().base_url + url_for(view) for name, view in views.items()}


def _aliases(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 8705 5: where those go who bring a certificate, if that is another host."""
    ours, where = settings().base_url, settings().mtls_base_url
    aliases = {name: where + metadata[name].removeprefix(ours) for name in WITH_CERTIFICATE if name in metadata}
    return {"mtls_endpoint_aliases": aliases} if where else {}


def _authentication() -> dict[str, Any]:
    """RFC 8414 2: for each endpoint where clients authenticate, by which methods and algorithms."""
    methods = sorted({name for method in METHODS for name in method.names}, key=AUTH_METHODS.index)
    if not mutual_tls.is_offered():
        methods = [name for name in methods if name not in CERTIFICATE_METHODS]
    proven = [name for name in methods if name != "none"]
    metadata: dict[str, Any] = {}
    for endpoint in AUTHENTICATED:
        # RFC 7662 2.1: who only says its name may not ask about tokens.
        may = proven if endpoint == "introspection_endpoint" else methods
        metadata[f"{endpoint}_auth_methods_supported"] = may
        metadata[f"{endpoint}_auth_signing_alg_values_supported"] = list(SIGNING_ALGORITHMS)
    return metadata


def _answers() -> dict[str, list[str]]:
    """The algorithms for signing and encrypting ID tokens, userinfo, introspection and authorization responses."""
    metadata = {}
    for answer in ANSWERS:
        metadata[f"{answer}_signing_alg_values_supported"] = list(OUR_ALGORITHMS)
        metadata[f"{answer}_encryption_alg_values_supported"] = list(ENCRYPTION_ALGORITHMS)
        metadata[f"{answer}_encryption_enc_values_supported"] = list(CONTENT_ENCRYPTIONS)
    return metadata


def resource_metadata(resource: str) -> dict[str, Any]:
    """RFC 9728 2: of one of our own places where access tokens are taken."""
    return {
        "resource": resource,
        "authorization_servers": [own_issuer()],
        "jwks_uri": settings().base_url + url_for("openid.jwks"),
        "scopes_supported": sorted([*MACHINE_SCOPES(), "account"]),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": mutual_tls.is_offered(),
        "resource_name": "Cordillera",
        "resource_documentation": f"{settings().base_url}/developers/api",
    }
