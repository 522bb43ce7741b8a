"""The profiles: what each one demands of an application, allows it and gives it (DESIGN.md, the contract).

One table, read by the registration of clients and by the protocol; whatever a profile forbids is refused with the
number of the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kernel.errors import Invalid, _

EITHER_SECRET = "client_secret"
"""A secret, by header or by form: what a client gets that does not say which."""
SECRET_METHODS = (EITHER_SECRET, "client_secret_basic", "client_secret_post")
KEY_METHODS = ("private_key_jwt", "self_signed_tls_client_auth")
CERTIFICATE_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
AUTH_METHODS = (*SECRET_METHODS, "none", "private_key_jwt", *CERTIFICATE_METHODS)

SIGNING_ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
"""What clients sign with (FAPI 2.0 5.4.1). RFC 9864 calls EdDSA on this curve Ed25519: both names are taken."""


@dataclass(frozen=True)
class Profile:
    """What a client of this profile must send, may do and gets."""

    auth_methods: tuple[str, ...]
    code_characters: int
    code_lives: timedelta
    id_token_algorithm: str
    id_token_algorithms: tuple[str, ...]
    state_required: bool
    pkce_required: bool
    short_hexadecimal_tokens: bool
    response_modes: tuple[str, ...]
    refresh_rotates: bool
    par_required: bool = False
    """RFC 9126 5: only a request that was pushed is taken at /authorize."""
    sender_constrained: bool = False
    """Access tokens are bound to a key (RFC 9449) or a certificate (RFC 8705), never only borne."""
    nonce_required: bool = False
    """DPoP proofs carry a nonce of ours (RFC 9449 8)."""
    issuer_is_only_audience: bool = False
    """Client assertions name the issuer, alone and as a string, as their audience."""


PROFILES: Mapping[str, Profile] = {
    # The integration manual: a code of 32 characters for five minutes. Clients keep both in columns of 120.
    "clave-unica": Profile(
        auth_methods=SECRET_METHODS,
        code_characters=32,
        code_lives=timedelta(minutes=5),
        id_token_algorithm="RS256",
        id_token_algorithms=("RS256", "ES256"),
        state_required=True,
        pkce_required=False,
        short_hexadecimal_tokens=True,
        response_modes=("query",),
        refresh_rotates=True,
    ),
    # RFC 9700 2.1.1: PKCE for everyone; codes of at most a minute.
    "standard": Profile(
        auth_methods=AUTH_METHODS,
        code_characters=43,
        code_lives=timedelta(minutes=1),
        id_token_algorithm="ES256",
        id_token_algorithms=("ES256", "RS256", "EdDSA"),
        state_required=False,
        pkce_required=True,
        short_hexadecimal_tokens=False,
        response_modes=("query", "fragment", "form_post"),
        # RFC 9700 2.2.2 asks for rotation, or binding, of public clients; for the others it does no harm.
        refresh_rotates=True,
    ),
    "fapi2": Profile(
        # FAPI 2.0 5.3.2.1 (6): private_key_jwt or mutual TLS.
        auth_methods=("private_key_jwt", *CERTIFICATE_METHODS),
        code_characters=43,
        # FAPI 2.0 5.3.2.1 (11): at most 60 seconds.
        code_lives=timedelta(seconds=60),
        id_token_algorithm="ES256",
        # FAPI 2.0 5.4.1: PS256, ES256 or EdDSA on Ed25519, so not RS256.
        id_token_algorithms=("ES256", "EdDSA"),
        state_required=False,
        # FAPI 2.0 5.3.2.2 (5)
        pkce_required=True,
        short_hexadecimal_tokens=False,
        response_modes=("query", "form_post"),
        # FAPI 2.0 5.3.2.1 (9): no rotation, except in extraordinary circumstances.
        refresh_rotates=False,
        # FAPI 2.0 5.3.2.2 (2) and (3)
        par_required=True,
        # FAPI 2.0 5.3.2.1 (4)
        sender_constrained=True,
        nonce_required=True,
        # FAPI 2.0 5.3.2.1 (7)
        issuer_is_only_audience=True,
    ),
}

MACHINE_AUTH_METHODS = (*SECRET_METHODS, "private_key_jwt", *CERTIFICATE_METHODS)
"""An agency's system proves who it is in every way but by its name alone (RFC 6749 4.4: confidential clients only)."""


def auth_methods_of(profile: str) -> tuple[str, ...]:
    """The ways of proving itself that the profile allows."""
    return PROFILES[profile].auth_methods if profile in PROFILES else MACHINE_AUTH_METHODS


ENCRYPTION_ALGORITHMS = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "RSA-OAEP-256", "RSA-OAEP")
CONTENT_ENCRYPTIONS = ("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512")
OUR_ALGORITHMS = ("ES256", "RS256", "EdDSA")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "token_endpoint_auth_signing_alg": SIGNING_ALGORITHMS,
    "request_object_signing_alg": SIGNING_ALGORITHMS,
    "userinfo_signed_response_alg": OUR_ALGORITHMS,
    "introspection_signed_response_alg": OUR_ALGORITHMS,
    "id_token_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "id_token_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "userinfo_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "userinfo_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "introspection_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "introspection_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "access_token_format": ("opaque", "jwt"),
}
FLAGS = (
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "require_auth_time",
    "backchannel_logout_session_required",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
)
URI_OPTIONS = ("backchannel_logout_uri", "client_uri", "policy_uri", "tos_uri")
CERTIFICATE_SUBJECTS = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
OPTIONS = (
    *CHOICES,
    *FLAGS,
    *URI_OPTIONS,
    *CERTIFICATE_SUBJECTS,
    "id_token_signed_response_alg",
    "default_max_age",
    "default_acr_values",
)
"""What a client may choose, in the words of RFC 7591 2, RFC 8705, RFC 9101, RFC 9126, RFC 9449, RFC 9701 and OpenID
Connect Registration 2; `access_token_format` is ours.
"""


def checked_choices(profile: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are no addresses, as they are kept. Raises Invalid, its message beside the one that is wrong."""
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise _wrong(unknown[0], _("This is not something that a client can choose."))
    kept = {name: value for name, value in options.items() if value not in (None, "", [])}
    for name, value in kept.items():
        if name not in URI_OPTIONS and (fault := _fault_of(name, value, profile)):
            raise _wrong(name, fault)
    for kind in ("id_token", "userinfo", "introspection"):
        # OIDC Registration 2: the enc may be left out, the alg may not.
        if f"{kind}_encrypted_response_enc" in kept and f"{kind}_encrypted_response_alg" not in kept:
            raise _wrong(f"{kind}_encrypted_response_enc", _("It needs the alg beside it."))
    return kept


def _fault_of(name: str, value: object, profile: str) -> Any:
    if name in FLAGS:
        return None if isinstance(value, bool) else _("It is true or false.")
    if name == "default_max_age":
        is_sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**8
        return None if is_sound else _("It is a number of seconds.")
    if name == "default_acr_values":
        is_sound = isinstance(value, list) and len(value) <= 5
        is_sound = is_sound and all(isinstance(one, str) and len(one) <= 200 for one in value)  # type: ignore[attr-defined]
        return None if is_sound else _("It is a list of at most five texts.")
    if not isinstance(value, str) or not value.isprintable() or len(value) > 500:
        return _("It is a text of at most 500 characters.")
    if name == "id_token_signed_response_alg" and profile in PROFILES:
        offered = PROFILES[profile].id_token_algorithms
    else:
        offered = CHOICES.get(name, (value,))
    return None if value in offered else _("One of: %(choices)s.", choices=", ".join(offered))


def _wrong(name: str, message: Any) -> Invalid:
    return Invalid(fields={name: [message]})
