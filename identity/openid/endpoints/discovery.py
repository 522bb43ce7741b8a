"""GET /openid/.well-known/openid-configuration (OIDC Discovery 4, RFC 8414)."""

from __future__ import annotations

from flask import Response, jsonify

from identity.clients.rules import PERSON_SCOPES
from identity.openid.endpoints import for_programs
from identity.openid.grants import GRANTS
from identity.openid.request_metadata import request_metadata
from identity.openid.tokens import ID_TOKEN_ALGORITHMS
from kernel.access import public
from kernel.http import settings

CLAIMS = (
    *("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash", "sid"),
    *("RolUnico", "name", "given_name", "family_name", "email", "email_verified"),
)


@for_programs("/openid/.well-known/openid-configuration", "GET")
@public("how to use the provider is for everyone")
def discovery() -> Response:
    """What the provider can do, and where."""
    issuer = settings().issuer
    answer = jsonify(
        **request_metadata(issuer),
        issuer=issuer,
        token_endpoint=f"{issuer}/token",
        userinfo_endpoint=f"{issuer}/userinfo",
        jwks_uri=f"{issuer}/jwks",
        end_session_endpoint=f"{issuer}/end-session",
        scopes_supported=list(PERSON_SCOPES),
        grant_types_supported=[grant.GRANT_TYPE for grant in GRANTS],
        subject_types_supported=["pairwise"],
        id_token_signing_alg_values_supported=list(ID_TOKEN_ALGORITHMS),
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post", "none"],
        claims_supported=list(CLAIMS),
        service_documentation=f"{settings().base_url}/developers",
    )
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
