"""Rules of agencies' public keys: which ones an agency may sign with, and how it proves that it holds one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from interoperability.evidence.rules import thumbprint
from kernel.base.canonical import TwoMeanings, read_json
from kernel.base.errors import BadRequest, Conflict, Invalid, Problem, _

ALGORITHMS = ["ES256", "EdDSA", "Ed25519", "PS256"]
SMALLEST_RSA_BITS, LARGEST_RSA_BITS = 2048, 8192
PROOF_LASTS = timedelta(hours=1)
LARGEST_TOKEN = 512 * 1024
PEM_KINDS: tuple[type[ECKey] | type[OKPKey] | type[RSAKey], ...] = (ECKey, OKPKey, RSAKey)

# RFC 9864 renames EdDSA to Ed25519; agencies may send either name.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)


class KeyTaken(Conflict):
    kind = "key-taken"
    title = _("This key is already registered")
    explanation = _("A key belongs to one agency and is registered once. A revoked key cannot be used again.")
    remedy = _("Make a new pair of keys and register its public half.")


class KeyNotAccepted(Problem):
    kind = "key-not-accepted"
    status = 422
    title = _("The signature comes from a key that is not accepted")
    explanation = _("The key is not registered for your agency, or was revoked.")
    remedy = _("Register the public key of your agency, or sign with one that is registered.")


class SignatureInvalid(BadRequest):
    kind = "signature-invalid"
    title = _("The signature is not valid")
    explanation = _("It is not a compact JWS, uses another algorithm, or was made with another key over other content.")
    remedy = _("Sign exactly what you send, with ES256, EdDSA or PS256, and with the key whose identifier you give.")


def public_jwk(text: str) -> dict[str, Any]:
    """The members of a public key given as JWK or PEM. Raises Invalid for another kind, a weak or a private one."""
    key = _imported(text.strip())
    if key.is_private:
        raise _wrong_key(_("This is a private key. Never show it to anyone; make a new pair and send its public half."))
    if isinstance(key, RSAKey) and not SMALLEST_RSA_BITS <= key.public_key.key_size <= LARGEST_RSA_BITS:
        raise _wrong_key(_("An RSA key needs 2048 to 8192 bits."))
    members = {name: str(value) for name, value in key.as_dict(private=False).items() if name in MEMBERS}
    if members["kty"] != "RSA" and members.get("crv") not in ("P-256", "Ed25519"):
        raise _wrong_key(_("Only P-256, Ed25519 and RSA keys are accepted."))
    return members


MEMBERS = ("kty", "crv", "x", "y", "n", "e")


def _imported(text: str) -> Key:
    try:
        return JWKRegistry.import_key(read_json(text)) if text.startswith("{") else _from_pem(text.encode())
    except (ValueError, TypeError, KeyError, AttributeError, JoseError, RecursionError) as error:
        raise _wrong_key(_("This is not a public key as PEM or JWK.")) from error


def _from_pem(text: bytes) -> Key:
    for kind in PEM_KINDS:
        with suppress(ValueError, JoseError):
            return kind.import_key(text)
    raise ValueError("not a PEM key")


def _wrong_key(message: Any) -> Invalid:
    return Invalid(fields={"public_key": [message]})


def algorithm_of(jwk: Mapping[str, Any]) -> str:
    """The algorithm that a key of this kind signs with."""
    return {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}[str(jwk["kty"])]


def key_named_in(token: str) -> str:
    """The `kid` of a compact JWS, before anything is verified. Raises SignatureInvalid."""
    try:
        if len(token) > LARGEST_TOKEN:
            raise ValueError("too long")
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (ValueError, JoseError) as error:
        raise SignatureInvalid(log="not a compact JWS") from error
    if not isinstance(kid, str) or len(kid) > 200 or "\x00" in kid:
        raise SignatureInvalid(_("The header of the signature needs the identifier of the key, kid."))
    return kid


def open_signed(token: str, jwk: Mapping[str, Any]) -> bytes:
    """Return the content of a compact JWS that the key signed. Raises SignatureInvalid."""
    try:
        # RFC 7515 4: the names of a header are unique, or the whole is refused.
        read_json(urlsafe_b64decode(token.partition(".")[0].encode()))
        key = JWKRegistry.import_key(dict(jwk))
        content = jws.deserialize_compact(token, key, algorithms=ALGORITHMS).payload
    except TwoMeanings as error:
        raise SignatureInvalid(error.message, log="header of two meanings") from error
    except (ValueError, TypeError, JoseError, RecursionError) as error:
        raise SignatureInvalid(log=type(error).__name__) from error
    if not isinstance(content, bytes):
        raise SignatureInvalid(log="no payload")
    return content


def check_possession(proof: str, jwk: Mapping[str, Any], agency: str, platform: str, now: datetime) -> None:
    """Raise unless the holder of the private half wants it registered: here, for this agency, now.

    proof: a compact JWS by that key over `{"agency", "thumbprint", "platform", "issued_at"}`; platform: our address.
    """
    try:
        claims = read_json(open_signed(proof, jwk))
        issued_at = datetime.fromisoformat(claims["issued_at"])
        is_recent = abs(now - issued_at) <= PROOF_LASTS
    except (SignatureInvalid, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _wrong_proof(_("The proof is not a signature by this key over the four required values.")) from error
    if not is_recent:
        raise _wrong_proof(_("The proof is more than an hour old. Sign a new one."))
    expected = {"agency": agency, "thumbprint": thumbprint(jwk), "platform": platform}
    if any(claims.get(name) != value for name, value in expected.items()):
        raise _wrong_proof(_("The proof was made for another agency, key or platform."))


def _wrong_proof(message: Any) -> Invalid:
    return Invalid(fields={"proof": [message]})
