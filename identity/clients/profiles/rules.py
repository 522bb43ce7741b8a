"""The profiles: what each one demands of an application, allows it and gives it.

One table, read by the registration of clients and by the protocol; whatever a profile forbids is refused with the
number of the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kernel.base.errors import Invalid, _

EITHER_SECRET = "client_secret"
"""A secret, by header or by form: what a client gets that does not say which."""
SECRET_METHODS = (EITHER_SECRET, "client_secret_basic", "client_secret_post")
KEY_METHODS = ("private_key_jwt", "self_signed_tls_client_auth")
CERTIFICATE_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
AUTH_METHODS = (*SECRET_METHODS, "none", "private_key_jwt", *CERTIFICATE_METHODS)

SIGNING_ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
"""Algorithms with which clients sign (FAPI 2.0 5.4.1). RFC 9864 calls EdDSA on this curve Ed25519: both names are
taken.
"""


@dataclass(frozen=True)
class Profile:
    """A profile of clients: what one must send, may do and gets."""

    auth_methods: tuple[str, ...]
    code_characters: int
    code_lives: timedelta
    id_token_algorithm: str
    signing_algorithms: tuple[str, ...]
    """Algorithms with which we may sign for it: ID tokens, userinfo, introspection, answers to authorization
    requests.
    """
    state_required: bool
    pkce_required: bool
    short_hexadecimal_tokens: bool
    response_modes: tuple[str, ...]
    refresh_rotates: bool
    pkce_may_be_optional: bool = False
    """A client with credentials may register that it does without PKCE, as OpenID Connect Core has it."""
    par_required: bool = False
    """RFC 9126 5: only a request that was pushed is taken at /authorize."""
    sender_constrained: bool = False
    """Access tokens are bound to a key (RFC 9449) or a certificate (RFC 8705), never only borne."""
    nonce_required: bool = False
    """DPoP proofs carry a nonce of ours (RFC 9449 8)."""
    issuer_is_only_audience: bool = False
    """Client assertions name the issuer, alone and as a string, as their audience."""
    device_flow: bool = True
    """RFC 8628: a person may sign in on another device, where the client registered for it."""
    token_exchange: bool = True
    """RFC 8693: it may call others on behalf of people, where these allowed it."""
    claims_in_id_token: bool = True
    """It may choose to have names and e-mail in the ID token as well, and not at userinfo only."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """Sources of what the profile demands or forbids, by the names above. Refusals tell it."""


MANUAL = "ClaveUnica integration manual"
FAPI = "FAPI 2.0 Security Profile"
RESPONSE_MODES = ("query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt")
"""OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode, and JARM 2.3."""
PROFILES: Mapping[str, Profile] = {
    # The integration manual: a code of 32 characters for five minutes. Clients keep both in columns of 120.
    "clave-unica": Profile(
        auth_methods=SECRET_METHODS,
        code_characters=32,
        code_lives=timedelta(minutes=5),
        id_token_algorithm="RS256",
        signing_algorithms=("RS256", "ES256"),
        state_required=True,
        pkce_required=False,
        short_hexadecimal_tokens=True,
        response_modes=("query",),
        refresh_rotates=True,
        device_flow=False,
        token_exchange=False,
        claims_in_id_token=False,
        rules=dict.fromkeys(
            (
                *("auth_methods", "signing_algorithms", "state_required", "response_modes"),
                *("scopes", "device_flow", "token_exchange", "claims_in_id_token"),
            ),
            MANUAL,
        ),
    ),
    # RFC 9700 2.1.1: PKCE for everyone; codes of at most a minute.
    "standard": Profile(
        auth_methods=AUTH_METHODS,
        code_characters=43,
        code_lives=timedelta(minutes=1),
        id_token_algorithm="ES256",
        signing_algorithms=("ES256", "RS256", "Ed25519", "EdDSA"),
        state_required=False,
        pkce_required=True,
        short_hexadecimal_tokens=False,
        response_modes=RESPONSE_MODES,
        # RFC 9700 2.2.2 asks for rotation, or binding, of public clients; for the others it does no harm.
        refresh_rotates=True,
        pkce_may_be_optional=True,
        rules={"pkce_required": "RFC 9700 2.1.1"},
    ),
    "fapi2": Profile(
        auth_methods=("private_key_jwt", *CERTIFICATE_METHODS),
        code_characters=43,
        # FAPI 2.0 5.3.2.1 (11): at most 60 seconds.
        code_lives=timedelta(seconds=60),
        id_token_algorithm="ES256",
        signing_algorithms=("ES256", "Ed25519", "EdDSA"),
        state_required=False,
        pkce_required=True,
        short_hexadecimal_tokens=False,
        response_modes=RESPONSE_MODES,
        # FAPI 2.0 5.3.2.1 (9): no rotation, except in extraordinary circumstances.
        refresh_rotates=False,
        par_required=True,
        sender_constrained=True,
        nonce_required=True,
        issuer_is_only_audience=True,
        device_flow=False,
        rules={
            "auth_methods": f"{FAPI} 5.3.2.1 (6)",
            "signing_algorithms": f"{FAPI} 5.4.1 (1)",
            "pkce_required": f"{FAPI} 5.3.2.2 (5)",
            "par_required": f"{FAPI} 5.3.2.2 (3)",
            "sender_constrained": f"{FAPI} 5.3.2.1 (4)",
            "nonce_required": "RFC 9449 8",
            "issuer_is_only_audience": f"{FAPI} 5.3.2.1 (8)",
            # It leaves room for phishing, against which the attacker model of FAPI 2.0 stands.
            "device_flow": "RFC 8628 5.4",
        },
    ),
}


def in_words(rule: str) -> Any:
    """Name a rule's source, as a person reads it: standards have the same name everywhere, the manual has not."""
    return _("ClaveUnica integration manual") if rule == MANUAL else rule


MACHINE_AUTH_METHODS = (*SECRET_METHODS, "private_key_jwt", *CERTIFICATE_METHODS)
"""An agency's system proves who it is in every way but by its name alone (RFC 6749 4.4: confidential clients only)."""


def auth_methods_of(profile: str) -> tuple[str, ...]:
    """The ways of proving itself that the profile allows."""
    return PROFILES[profile].auth_methods if profile in PROFILES else MACHINE_AUTH_METHODS


AGREED_KEY_ENCRYPTIONS = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
"""Algorithms with which clients may encrypt to our own key."""
ENCRYPTION_ALGORITHMS = (*AGREED_KEY_ENCRYPTIONS, "RSA-OAEP-256", "RSA-OAEP")
CONTENT_ENCRYPTIONS = ("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512")
OUR_ALGORITHMS = ("ES256", "RS256", "Ed25519", "EdDSA")
ANSWERS = ("id_token", "userinfo", "introspection", "authorization")
"""Answers that we sign, and encrypt where the client registered so."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "token_endpoint_auth_signing_alg": SIGNING_ALGORITHMS,
    "request_object_signing_alg": SIGNING_ALGORITHMS,
    "request_object_encryption_alg": AGREED_KEY_ENCRYPTIONS,
    "request_object_encryption_enc": CONTENT_ENCRYPTIONS,
    "id_token_signed_response_alg": OUR_ALGORITHMS,
    "userinfo_signed_response_alg": OUR_ALGORITHMS,
    "introspection_signed_response_alg": OUR_ALGORITHMS,
    "authorization_signed_response_alg": OUR_ALGORITHMS,
    "id_token_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "id_token_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "userinfo_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "userinfo_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "introspection_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "introspection_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "authorization_encrypted_response_alg": ENCRYPTION_ALGORITHMS,
    "authorization_encrypted_response_enc": CONTENT_ENCRYPTIONS,
    "access_token_format": ("opaque", "jwt"),
}
FLAGS = (
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "require_auth_time",
    "backchannel_logout_session_required",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
    "device_flow",
    "pkce_optional",
    "claims_in_id_token",
)
NOT_EVERYONES = {
    "device_flow": "device_flow",
    "pkce_optional": "pkce_required",
    "claims_in_id_token": "claims_in_id_token",
}
"""Those of them that a profile may forbid, and the name of the rule in its table."""
SECTOR_URI = "sector_identifier_uri"
URI_OPTIONS = ("backchannel_logout_uri", "client_uri", "policy_uri", "tos_uri", SECTOR_URI)
DECIDED_OPTIONS = (
    *(SECTOR_URI, "device_flow", "pkce_optional", "claims_in_id_token"),
    *("client_uri", "policy_uri", "tos_uri"),
)
"""Options that the authority decides of a client in use. They say who knows people as it does, where what it knows of
them goes, and where its name leads them.
"""
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
    "default_max_age",
    "default_acr_values",
)
"""Options of a client, in the words of RFC 7591 2, OpenID Connect Registration 2, JARM 3 and RFCs 8705, 9101, 9126,
9449 and 9701. `access_token_format`, `device_flow`, `pkce_optional` and `claims_in_id_token` are ours.
`access_token_format`, `device_flow`, `pkce_optional` and `claims_in_id_token` are ours.
"""


def checked_choices(profile: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are no addresses, as they are kept. Raises Invalid, its message beside the one that is wrong."""
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise _wrong(unknown[0], _("This is not something that a client can choose."))
    choices = {name: value for name, value in options.items() if value not in (None, "", [])}
    for name, value in choices.items():
        if name not in URI_OPTIONS and (fault := _fault_of(name, value, profile)):
            raise _wrong(name, fault)
    for encryption in ("request_object_encryption", *(f"{kind}_encrypted_response" for kind in ANSWERS)):
        # OIDC Registration 2: the enc may be left out, the alg may not.
        if f"{encryption}_enc" in choices and f"{encryption}_alg" not in choices:
            raise _wrong(f"{encryption}_enc", _("This also needs the alg."))
    return choices


def algorithm_of(profile: str, options: Mapping[str, Any]) -> str:
    """Return the algorithm that signs ID tokens: as the client registered, else as usual with its profile."""
    chosen: str | None = options.get("id_token_signed_response_alg")
    return chosen or PROFILES[profile].id_token_algorithm


def is_decided(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the authority decides of these options, once the client is in use: taking one away is the owner's."""
    other = {name for name in DECIDED_OPTIONS if after.get(name) != before.get(name)}
    return SECTOR_URI in other or any(after.get(name) for name in other)


def _fault_of(name: str, value: object, profile: str) -> Any:
    if name in NOT_EVERYONES and value is True and (rule := _rule_against(name, profile)):
        return _("%(rule)s: this profile does not allow a choice.", rule=in_words(rule))
    if name in FLAGS:
        return None if isinstance(value, bool) else _("This must be true or false.")
    if name == "default_max_age":
        is_sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**8
        return None if is_sound else _("This must be a number of seconds.")
    if name == "default_acr_values":
        is_sound = isinstance(value, list) and len(value) <= 5
        is_sound = is_sound and all(isinstance(one, str) and len(one) <= 200 for one in value)  # type: ignore[attr-defined]
        return None if is_sound else _("This must be a list of at most five texts.")
    if not isinstance(value, str) or not value.isprintable() or len(value) > 500:
        return _("This must be a text of at most 500 characters.")
    if name.endswith("_signed_response_alg") and profile in PROFILES:
        return _fault_by_profile(value, PROFILES[profile])
    offered = CHOICES.get(name, (value,))
    return None if value in offered else _("One of: %(choices)s.", choices=", ".join(offered))


def _rule_against(name: str, profile: str) -> str | None:
    """Return the rule that keeps clients of the profile from choosing it, None where there is none."""
    if profile not in PROFILES:
        return "RFC 6749 4.4"
    definition = PROFILES[profile]
    may = {
        "device_flow": definition.device_flow,
        "pkce_optional": definition.pkce_may_be_optional,
        "claims_in_id_token": definition.claims_in_id_token,
    }
    return None if may[name] else definition.rules.get(NOT_EVERYONES[name], MANUAL)


def _fault_by_profile(algorithm: str, profile: Profile) -> Any:
    offered = profile.signing_algorithms
    if algorithm in offered:
        return None
    rule = profile.rules.get("signing_algorithms", "RFC 7518 3.1")
    return _("%(rule)s: one of: %(choices)s.", rule=in_words(rule), choices=", ".join(offered))


def _wrong(name: str, message: Any) -> Invalid:
    return Invalid(fields={name: [message]})
