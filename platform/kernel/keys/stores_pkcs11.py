"""Private keys in an HSM, by PKCS#11: they are made there, sign there and never leave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pkcs11
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from sqlalchemy.orm import Session

from kernel.base.errors import Unavailable
from kernel.keys.stores import RSA_BITS, KeyMissing, public_half

R = TypeVar("R")
# What a private key in the HSM may be used for, and that nobody gets it out.
GUARDED = {
    pkcs11.Attribute.SENSITIVE: True,
    pkcs11.Attribute.EXTRACTABLE: False,
    pkcs11.Attribute.SIGN: True,
    pkcs11.Attribute.DECRYPT: False,
    pkcs11.Attribute.UNWRAP: False,
}


@dataclass
class Pkcs11KeyStore:
    """The keys of one token. Each is found by its label, which is its `kid`.

    One session a process, opened when it is first needed (after the fork), and one signature at a time in it: that is
    what PKCS#11 promises to bear. A session that breaks is opened again.
    """

    library: str
    token_label: str
    pin: str
    _session: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, algorithm: str, session: Session) -> dict[str, Any]:
        return self.within(lambda token: _create(token, algorithm))

    def sign(self, kid: str, algorithm: str, message: bytes) -> bytes:
        return self.within(lambda token: _sign(token, kid, algorithm, message))

    def within(self, work: Callable[[Any], R]) -> R:
        """Run `work` with the session to itself. Raises Unavailable where the HSM does not answer."""
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._open()
                return work(self._session)
            except pkcs11.PKCS11Error as error:
                self._session = None
                raise Unavailable(log=f"key store: {type(error).__name__}") from error

    def _open(self) -> Any:
        token = pkcs11.lib(self.library).get_token(token_label=self.token_label)
        try:
            return token.open(rw=True, user_pin=self.pin)
        except pkcs11.UserAlreadyLoggedIn:
            # PKCS#11 2.40, 2.6.8: a process logs in once, for all of its sessions.
            return token.open(rw=True)


def _create(session: Any, algorithm: str) -> dict[str, Any]:
    public, private = _generate(session, algorithm)
    key = _as_jwk(public, algorithm)
    kid = key.thumbprint()
    for half in (public, private):
        half[pkcs11.Attribute.LABEL] = kid
    return public_half(key, kid, algorithm)


def _sign(session: Any, kid: str, algorithm: str, message: bytes) -> bytes:
    try:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=kid)
    except pkcs11.NoSuchKey as error:
        raise KeyMissing("it is not in the HSM") from error
    if algorithm == "RS256":
        return bytes(key.sign(message, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
    if algorithm == "EdDSA":
        return bytes(key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
    # PKCS#11 2.40, 2.3.1: r and s one after the other, as RFC 7518 3.4 has them.
    return bytes(key.sign(hashlib.sha256(message).digest(), mechanism=pkcs11.Mechanism.ECDSA))


# The DER of each curve's object identifier: 1.2.840.10045.3.1.7 (RFC 5480) and 1.3.101.112 (RFC 8410).
CURVES = {
    "ES256": (pkcs11.KeyType.EC, bytes.fromhex("06082a8648ce3d030107")),
    "EdDSA": (pkcs11.KeyType.EC_EDWARDS, bytes.fromhex("06032b6570")),
}


def _generate(session: Any, algorithm: str) -> tuple[Any, Any]:
    if algorithm == "RS256":
        made = session.generate_keypair(pkcs11.KeyType.RSA, RSA_BITS, store=True, private_template=GUARDED)
    else:
        kind, curve = CURVES[algorithm]
        parameters = session.create_domain_parameters(kind, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
        made = parameters.generate_keypair(store=True, private_template=GUARDED)
    public, private = made
    return public, private


def _as_jwk(public: Any, algorithm: str) -> Key:
    """The public half as joserfc knows it."""
    if algorithm == "RS256":
        exponent = int.from_bytes(public[pkcs11.Attribute.PUBLIC_EXPONENT])
        numbers = RSAPublicNumbers(exponent, int.from_bytes(public[pkcs11.Attribute.MODULUS]))
        return RSAKey(numbers.public_key(), numbers.public_key())
    # PKCS#11 3.0, 2.3.3: the point is the DER of an octet string; its header is two bytes for points of these lengths.
    point: bytes = public[pkcs11.Attribute.EC_POINT][2:]
    if algorithm == "EdDSA":
        edwards = Ed25519PublicKey.from_public_bytes(point)
        return OKPKey(edwards, edwards)
    curve = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    return ECKey(curve, curve)
