"""Keys of clients, what they sign with them, and certificates, for tests."""

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

from kernel.base import clock

Key = ECKey | OKPKey | RSAKey
ISSUER = "http://localhost/openid"
TOKEN = f"{ISSUER}/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = {"EC": "ES256", "RSA": "PS256", "OKP": "EdDSA"}


def a_key(kind: str = "EC", kid: str | None = None) -> Key:
    """A key to sign with; each call another."""
    parameters: KeyParameters | None = {"kid": kid} if kid else None
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters)
    return OKPKey.generate_key("Ed25519", parameters) if kind == "OKP" else ECKey.generate_key("P-256", parameters)


def public(*keys: Key) -> dict[str, Any]:
    """The set of keys as a client registers it."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Key, claims: dict[str, Any], **header: Any) -> str:
    """A compact JWS of the claims. A header or claim given as None is left out."""
    whole = {name: value for name, value in {"alg": ALGORITHMS[key.key_type], **header}.items() if value is not None}
    body = {name: value for name, value in claims.items() if value is not None}
    text = b".".join(urlsafe(json.dumps(part).encode()) for part in (whole, body))
    algorithm = jws.JWSRegistry.algorithms[whole["alg"]]
    return (text + b"." + urlsafe(algorithm.sign(text, key))).decode()


def urlsafe(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def an_assertion(key: Key, client_id: str, header: dict[str, Any] | None = None, **claims: Any) -> dict[str, str]:
    """The form fields of `private_key_jwt`; a claim given replaces the sound one, None takes it away."""
    now = int(clock.now().timestamp())
    sound = {"iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": uuid4().hex}
    return {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(key, sound | claims, **(header or {})),
    }


def a_proof(
    key: Key,
    method: str = "POST",
    url: str = TOKEN,
    header: dict[str, Any] | None = None,
    access_token: str | None = None,
    **claims: Any,
) -> dict[str, str]:
    """The DPoP header of a request; a claim given replaces the sound one, None takes it away."""
    ath = None
    if access_token is not None:
        ath = urlsafe(hashlib.sha256(access_token.encode()).digest()).decode()
    now = int(clock.now().timestamp())
    sound = {"htm": method, "htu": url, "iat": now, "jti": uuid4().hex, "ath": ath}
    headers = {"typ": "dpop+jwt", "jwk": key.as_dict(private=False), **(header or {})}
    return {"DPoP": signed(key, sound | claims, **headers)}


@dataclass(frozen=True)
class Issued:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        private: Any = self.key.private_key
        found: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return found

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def a_certificate(key: Key, name: str = "CN=sistema,O=Servicio de Prueba,C=CL", **others: Any) -> x509.Certificate:
    """A certificate of the key. others: `san`, a list of names; `ends`, when it ends; `issuer`, who signs it in place
    of the key itself; `is_authority`, whether it may sign others.
    """
    subject = x509.Name.from_rfc4514_string(name)
    issuer: Issued | None = others.get("issuer")
    now = datetime.fromtimestamp(time.time(), tz=clock.now().tzinfo)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(others.get("ends", now + timedelta(days=30)))
    )
    if "san" in others:
        built = built.add_extension(x509.SubjectAlternativeName(others["san"]), critical=False)
    if others.get("is_authority"):
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signing = issuer.key if issuer else key
    return built.sign(signing.private_key, hashes.SHA256())  # type: ignore[arg-type]


def der(certificate: x509.Certificate) -> str:
    """In base64, as in `x5c`."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
