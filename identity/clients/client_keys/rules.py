"""Rules of clients' public keys: which ones may be registered (RFC 7517, RFC 7518 6, RFC 8037), and when they end."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography import x509

from kernel.base.errors import Invalid, _

MAX_KEYS = 10
MAX_JWKS_BYTES = 64 * 1024
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
KEPT = ("kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg", "kid", "x5c", "x5t#S256", "exp")
KEY_AGREEMENT = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
# What each kind of key is good for: (kty, crv) to use, to algorithms.
KINDS: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]] = {
    ("RSA", ""): {"sig": ("PS256",), "enc": ("RSA-OAEP-256", "RSA-OAEP")},
    ("EC", "P-256"): {"sig": ("ES256",), "enc": KEY_AGREEMENT},
    ("EC", "P-384"): {"enc": KEY_AGREEMENT},
    ("EC", "P-521"): {"enc": KEY_AGREEMENT},
    ("OKP", "Ed25519"): {"sig": ("EdDSA", "Ed25519")},
    ("OKP", "X25519"): {"enc": KEY_AGREEMENT},
}
NAMES = {
    "tls_client_auth_san_dns": r"[A-Za-z0-9-]{1,63}([.][A-Za-z0-9-]{1,63})+",
    "tls_client_auth_san_uri": r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+",
    "tls_client_auth_san_email": r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{3,190}",
}
COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "X25519": 32}


class HasKeys(Protocol):
    """A client with keys of its own: registered with it, or at an address that it named (RFC 7591 2)."""

    @property
    def jwks(self) -> Mapping[str, Any] | None: ...

    @property
    def jwks_uri(self) -> str | None: ...


def checked_jwks(jwks: object) -> dict[str, Any]:
    """The set as it is kept: public members only. Raises Invalid, which says which key is wrong and why."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not keys:
        raise _wrong(_('A JSON Web Key Set is an object with a list of keys: {"keys": [...]}.'))
    if len(keys) > MAX_KEYS:
        raise _wrong(_("At most %(count)s keys.", count=MAX_KEYS))
    public_keys = []
    for number, key in enumerate(keys, start=1):
        if fault := fault_of(key):
            raise _wrong(_("Key %(number)s: %(fault)s", number=number, fault=fault))
        public_keys.append({name: key[name] for name in KEPT if name in key})
    if len(json.dumps(public_keys)) > MAX_JWKS_BYTES:
        raise _wrong(_("The set of keys is too large."))
    named = [key["kid"] for key in public_keys if "kid" in key]
    # RFC 7517 4.5: keys of a set should have distinct names; two of one name would make the choice an accident.
    if len(set(named)) < len(named) or (len(public_keys) > 1 and len(named) < len(public_keys)):
        raise _wrong(_("Each of several keys needs a name (kid) of its own."))
    return {"keys": public_keys}


def usable_keys(jwks: object) -> list[dict[str, Any]]:
    """The keys of a fetched set that can be used here: its others may be for somebody else, and are passed over.

    Raises Invalid where it is no set of keys, or shows a private one.
    """
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or len(keys) > 5 * MAX_KEYS:
        raise _wrong(_('A JSON Web Key Set is an object with a list of keys: {"keys": [...]}.'))
    if any(isinstance(key, Mapping) and PRIVATE & set(key) for key in keys):
        raise _wrong(_("the private part was sent. Make a new key, and send its public part only"))
    return [{name: key[name] for name in KEPT if name in key} for key in keys if not fault_of(key)]


def fault_of(key: object) -> Any:
    """Return the fault of a key, None if it has none."""
    if not isinstance(key, Mapping):
        return _("a key is an object")
    if PRIVATE & set(key):
        return _("the private part was sent. Make a new key, and send its public part only")
    if "x5u" in key:
        return _("x5u is not accepted: certificates are not fetched")
    kind = KINDS.get((str(key.get("kty")), str(key.get("crv", ""))))
    if kind is None:
        return _("only RSA, EC on P-256 (for encryption also P-384 and P-521), Ed25519 and X25519 are accepted")
    use = key.get("use")
    if use is not None and use not in kind:
        return _("the use must be one of: %(choices)s", choices=", ".join(kind))
    offered = [name for purpose, names in kind.items() if use in (None, purpose) for name in names]
    if "alg" in key and key["alg"] not in offered:
        return _("the alg must be one of: %(choices)s", choices=", ".join(offered))
    kid = key.get("kid")
    if kid is not None and not (isinstance(kid, str) and re.fullmatch(r"[!-~]{1,200}", kid)):
        return _("the kid must be 1 to 200 printable characters")
    if "exp" in key and (isinstance(key["exp"], bool) or not isinstance(key["exp"], int)):
        return _("the exp must be a number of seconds")
    return _fault_of_numbers(key)


def _fault_of_numbers(key: Mapping[str, Any]) -> Any:
    if key["kty"] == "RSA":
        modulus, exponent = (int.from_bytes(_decoded(key.get(name)), "big") for name in ("n", "e"))
        # NIST SP 800-57 and FAPI 2.0 5.4.1 (2): RSA keys have at least 2048 bits.
        if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
            return _("an RSA key has at least 2048 and at most 8192 bits")
        if exponent % 2 == 0 or not 3 <= exponent < 2**33:
            return _("the exponent of an RSA key is usually 65537")
        return None
    names = ("x", "y") if key["kty"] == "EC" else ("x",)
    # RFC 7518 6.2.1.2: a coordinate has the full length of the curve.
    if any(len(_decoded(key.get(name))) != COORDINATE_BYTES[key["crv"]] for name in names):
        return _("the coordinates do not have the length of the curve")
    return None


def _decoded(value: object) -> bytes:
    """Base64url without padding; nothing for what is not."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,2000}", value):
        return b""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return b""


def is_for(key: Mapping[str, Any], use: str) -> bool:
    """Whether the key may be used to verify (`sig`) or to encrypt (`enc`)."""
    kind = KINDS[(key["kty"], key.get("crv", ""))]
    algorithms = kind.get(use, ())
    return key.get("use", use) == use and bool(algorithms) and key.get("alg", algorithms[0]) in algorithms


def declared_end(key: Mapping[str, Any]) -> datetime | None:
    """Return the end that the key declares (OpenID Federation 1.0, `exp`); None where it does not."""
    exp = key.get("exp")
    try:
        return datetime.fromtimestamp(exp, UTC) if isinstance(exp, int) else None
    except (OverflowError, OSError, ValueError):
        return None


def is_certificate_name(kind: str, name: str) -> bool:
    """Whether a certificate may have this name (RFC 8705 2.1.2): what it never has would shut the client out."""
    try:
        if kind == "tls_client_auth_subject_dn":
            return bool(list(x509.Name.from_rfc4514_string(name)))
        if kind == "tls_client_auth_san_ip":
            return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
    return re.fullmatch(NAMES[kind], name) is not None


def _wrong(message: Any) -> Invalid:
    return Invalid(fields={"jwks": [message]})
