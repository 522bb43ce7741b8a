"""The caller's TLS certificate (RFC 8705): as the trusted proxy hands it over, and never as the caller itself says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.clients.client_keys.queries import certificate_of, jwks_of, keys_of
from identity.clients.profiles.rules import CERTIFICATE_SUBJECTS
from identity.clients.registry.rules import RegisteredClient
from identity.openid.tokens.proofs.signed import NotSound
from kernel.base import clock
from kernel.base.installation import settings
from kernel.http.incoming import Incoming

MAX_HEADER_CHARACTERS = 16_000
VERIFIED = "SUCCESS"
"""The word of nginx ($ssl_client_verify) for a certificate whose chain leads to an authority that it trusts."""


def is_offered() -> bool:
    """Whether this installation has a proxy that hands certificates over."""
    return bool(settings().trusted_proxies > 0 and settings().client_certificate_header)


def certificate(incoming: Incoming) -> x509.Certificate | None:
    """The certificate of this connection, None where there is none. Raises NotSound for one that cannot be read."""
    if not is_offered():
        return None
    handed_over = incoming.header(settings().client_certificate_header)
    if not handed_over:
        return None
    if len(handed_over) > MAX_HEADER_CHARACTERS:
        raise NotSound("The certificate is too long.")
    try:
        cert = _read(handed_over.strip())
    except (ValueError, binascii.Error, TypeError) as error:
        raise NotSound("The certificate cannot be read.") from error
    if not cert.not_valid_before_utc <= clock.now() <= cert.not_valid_after_utc:
        raise NotSound("The certificate is not valid yet, or no longer.")
    return cert


def _read(handed_over: str) -> x509.Certificate:
    """As a URL-encoded PEM (nginx, Envoy, Apache) or as RFC 9440 has it, in base64 between colons."""
    if handed_over.startswith(":") and handed_over.endswith(":"):
        return x509.load_der_x509_certificate(base64.b64decode(handed_over[1:-1], validate=True))
    pem = unquote(handed_over)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if not pem.startswith(begin) or end not in pem:
        raise ValueError("no PEM")
    # Some proxies put spaces or tabs where the lines ended; only the first certificate is the caller's.
    body = "".join(pem[len(begin) : pem.index(end)].split())
    return x509.load_der_x509_certificate(base64.b64decode(body, validate=True))


def thumbprint_of(cert: x509.Certificate) -> str:
    """RFC 8705 3.1, `x5t#S256`: the SHA-256 of the DER, in base64url."""
    digest = hashlib.sha256(cert.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def thumbprint(incoming: Incoming) -> str | None:
    """The thumbprint of this connection's certificate, None where there is none. Raises NotSound."""
    cert = certificate(incoming)
    return thumbprint_of(cert) if cert else None


def check_certificate(client: RegisteredClient, incoming: Incoming) -> None:
    """Whether this connection's certificate is the client's, in the way that it registered. Raises NotSound."""
    cert = certificate(incoming)
    if cert is None:
        raise NotSound("There is no client certificate.")
    if client.auth_method == "self_signed_tls_client_auth":
        _check_registered_key(client, cert)
        return
    # RFC 8705 2.1: the name counts only in a certificate whose issuer the proxy trusts.
    verified = settings().client_certificate_verified_header
    if not verified or incoming.header(verified) != VERIFIED:
        raise NotSound("The certificate's chain was not verified.")
    if not _has_subject(cert, client.options):
        raise NotSound("The certificate has another subject than the one registered.")


def _check_registered_key(client: RegisteredClient, cert: x509.Certificate) -> None:
    """RFC 8705 2.2: the certificate is one of those in the client's keys, or of one of these keys."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for key in jwks_of(client):
        registered = certificate_of(key) if "x5c" in key else None
        if registered is not None and registered.public_bytes(Encoding.DER) == cert.public_bytes(Encoding.DER):
            return
    ours = cert.public_key().public_bytes(*form)
    if not any(key.public_key.public_bytes(*form) == ours for key in keys_of(client, None)):
        raise NotSound("The certificate is not of a registered key.")


def _has_subject(cert: x509.Certificate, options: Mapping[str, Any]) -> bool:
    """RFC 8705 2.1.2: the one name that the client registered."""
    name = next((one for one in CERTIFICATE_SUBJECTS if one in options), None)
    if name is None:
        return False
    expected = str(options[name])
    if name == "tls_client_auth_subject_dn":
        try:
            return x509.Name.from_rfc4514_string(expected) == cert.subject
        except ValueError:
            return False
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if name == "tls_client_auth_san_dns":
        return expected.lower() in [one.lower() for one in names.get_values_for_type(x509.DNSName)]
    if name == "tls_client_auth_san_uri":
        return expected in names.get_values_for_type(x509.UniformResourceIdentifier)
    if name == "tls_client_auth_san_email":
        return expected in names.get_values_for_type(x509.RFC822Name)
    try:
        return ipaddress.ip_address(expected) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return False
