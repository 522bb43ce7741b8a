"""The profiles: what each one demands of an application, allows it and gives it (DESIGN.md, the contract).

One table, read by the registration of clients and by the protocol; whatever a profile forbids is refused with the
number of the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

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
    loopback_redirects: bool = True
    """Whether http on this machine may be registered in the sandbox."""


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
        response_modes=("query", "form_post"),
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
