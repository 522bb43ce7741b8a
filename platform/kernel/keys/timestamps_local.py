"""An authority of our own for timestamps, for development: its key is one of the key store's.

It shows how everything works and proves nothing: whoever has this installation can date what they like.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from asn1crypto import cms, core, keys, tsp, x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from joserfc.jwk import RSAKey
from pyhanko.sign.general import as_signing_certificate_v2
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from kernel.base import clock
from kernel.base.slots import Slot
from kernel.keys.signatures import ensure_key, public_jwks, sign
from kernel.keys.timestamps import DIGEST

PURPOSE, ALGORITHM = "timestamps", "RS256"
VALID_FROM, VALID_UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)


class _Stamper(DummyTimeStamper):
    """pyHanko's own authority, whose signature comes from the key port."""

    def __init__(self, certificate: x509.Certificate, at: datetime) -> None:
        super().__init__(certificate, None, fixed_dt=at, override_md=DIGEST)

    def _sign_tst_info(self, tst_info_data: bytes, md_algorithm: str, dt: datetime) -> tuple[bytes, cms.CMSAttributes]:
        attributes = cms.CMSAttributes(
            [
                _attribute("content_type", "tst_info"),
                _attribute("signing_time", cms.Time({"utc_time": core.UTCTime(dt)})),
                _attribute("signing_certificate_v2", as_signing_certificate_v2(self.tsa_cert)),
                _attribute("message_digest", _sha256(tst_info_data)),
            ]
        )
        return sign(PURPOSE, attributes.dump(), ALGORITHM).value, attributes


class LocalAuthority:
    """Timestamps by this installation's clock."""

    def answer(self, request: bytes) -> bytes:
        stamper = _Stamper(CERTIFICATE(), clock.now())
        answered: bytes = stamper.request_tsa_response(tsp.TimeStampReq.load(request)).dump()
        return answered

    def certificates(self) -> Sequence[bytes]:
        return [CERTIFICATE().dump()]


CERTIFICATE: Slot[x509.Certificate] = Slot("timestamp_certificate", lambda: _issue())


def _issue() -> x509.Certificate:
    """The authority's certificate, signed by itself. Every process makes the same: nothing in it is by chance."""
    kid = ensure_key(PURPOSE, ALGORITHM)
    [jwk] = [key for key in public_jwks(PURPOSE)["keys"] if key["kid"] == kid]
    name = x509.Name.build({"common_name": "Cordillera, timestamps for development"})
    content = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(_sha256(kid.encode())[:15], "big"),
            "signature": {"algorithm": "sha256_rsa"},
            "issuer": name,
            "validity": {"not_before": _time(VALID_FROM), "not_after": _time(VALID_UNTIL)},
            "subject": name,
            "subject_public_key_info": _public_key(jwk),
            # RFC 3161 2.3: the one extended use, and critical.
            "extensions": [
                {"extn_id": "key_usage", "critical": True, "extn_value": {"digital_signature"}},
                {"extn_id": "extended_key_usage", "critical": True, "extn_value": ["time_stamping"]},
            ],
        }
    )
    signature = sign(PURPOSE, content.dump(), ALGORITHM).value
    return x509.Certificate(
        {
            "tbs_certificate": content,
            "signature_algorithm": {"algorithm": "sha256_rsa"},
            "signature_value": signature,
        }
    )


def _public_key(jwk: dict[str, str]) -> keys.PublicKeyInfo:
    public = load_pem_public_key(
        RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")}).as_pem(private=False)
    )
    return keys.PublicKeyInfo.load(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _time(at: datetime) -> x509.Time:
    return x509.Time({"utc_time": core.UTCTime(at)})


def _attribute(kind: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": (value,)})


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
