"""DPoP (RFC 9449): the caller shows, request by request, that it has the key that a token is bound to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from identity.clients.client_keys.queries import PublicKey, imported
from identity.clients.client_keys.rules import fault_of
from identity.clients.profiles.rules import SIGNING_ALGORITHMS
from identity.clients.registry.actions import use_once
from identity.openid.rules import OAuthProblem
from identity.openid.tokens.proofs.signed import AHEAD_SECONDS, MAX_JTI_CHARACTERS, NotSound, Opened, opened
from kernel.base import clock
from kernel.base.errors import _
from kernel.base.ids import same
from kernel.base.installation import settings
from kernel.http.incoming import Incoming

PROOF_TYPE = "dpop+jwt"
ALGORITHMS = SIGNING_ALGORITHMS
"""For discovery: `dpop_signing_alg_values_supported`."""
PAST_SECONDS = 120
NONCE_SECONDS = 60
NONCES_ACCEPTED = 5
"""A nonce is good for the minute in which it was given and the four after it."""


class InvalidProof(OAuthProblem):
    """RFC 9449 5."""

    kind = "oauth-invalid-dpop-proof"
    title = "invalid_dpop_proof"
    explanation = _("The DPoP proof is missing, malformed, too old, was used before or does not fit the request.")
    remedy = _("Make a new proof for every request, with its method, its address, the current time and a new jti.")
    oauth_error = "invalid_dpop_proof"


class UseNonce(OAuthProblem):
    """RFC 9449 8: the proof has to carry a nonce that we gave lately; this answer brings one."""

    kind = "oauth-use-dpop-nonce"
    title = "use_dpop_nonce"
    explanation = _("The DPoP proof has to carry the nonce that we gave last.")
    remedy = _("Take the nonce of the DPoP-Nonce header and send the request again with a new proof.")
    oauth_error = "use_dpop_nonce"


def proof_of_request(
    incoming: Incoming, *, nonce_required: bool = False, access_token: str | None = None
) -> str | None:
    """The thumbprint (RFC 7638) of the key that the request's proof shows; None where there is no proof.

    access_token: the one that the proof has to be for, at a resource. Raises InvalidProof, UseNonce.
    """
    if not incoming.has_header("DPoP"):
        return None
    try:
        proof = opened(incoming.header("DPoP"), allowed_algorithms=ALGORITHMS, own_key=True)
        return _checked(proof, incoming, nonce_required=nonce_required, access_token=access_token)
    except NotSound as fault:
        raise InvalidProof(f"DPoP proof: {fault}") from fault


def _checked(proof: Opened, incoming: Incoming, *, nonce_required: bool, access_token: str | None) -> str:
    """RFC 9449 4.3, in its order."""
    # 4.2: the type is explicit, so that no other JWT passes for a proof (RFC 8725 3.11).
    if proof.header.get("typ") != PROOF_TYPE:
        raise NotSound(f"The typ must be {PROOF_TYPE}.")
    key = _key(proof.header.get("jwk"))
    if not proof.is_signed_by([key]):
        raise NotSound("The signature is not of the key in the header.")
    if proof.claims.get("htm") != incoming.method:
        raise NotSound("The htm is not the method of this request.")
    if not _is_here(proof.text_claim("htu", 2_000), incoming):
        raise NotSound("The htu is not the address of this request.")
    now = clock.now()
    issued = proof.time_claim("iat")
    if issued is None:
        raise NotSound("The iat is missing.")
    proof.check_begun(now)
    if issued < now.timestamp() - PAST_SECONDS:
        raise NotSound("It is too old (iat).")
    expires = proof.time_claim("exp")
    # RFC 7519 4.1.4: nobody has to set an end, but one that is set counts.
    if expires is not None and expires <= now.timestamp():
        raise NotSound("It has expired (exp).")
    _check_nonce(proof.claims.get("nonce"), now, incoming, required=nonce_required)
    if access_token is not None and not same(_ath(access_token), str(proof.claims.get("ath"))):
        raise NotSound("The ath is not the hash of the access token.")
    jti = proof.text_claim("jti", MAX_JTI_CHARACTERS)
    thumbprint = key.thumbprint()
    until = datetime.fromtimestamp(issued, UTC) + timedelta(seconds=PAST_SECONDS + AHEAD_SECONDS)
    # 11.1: a proof works once.
    if not use_once("dpop", thumbprint, jti, until):
        raise NotSound("It was used before (jti).")
    return thumbprint


def _key(jwk: Any) -> PublicKey:
    # 4.3 (7): a public key.
    if fault := fault_of(jwk):
        raise NotSound(f"jwk: {fault}.")
    key = imported(json.dumps({name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}))
    if key is None:
        raise NotSound("The jwk cannot be read.")
    return key


def _is_here(address: str, incoming: Incoming) -> bool:
    """4.3 (9): the address of this request, without query and fragment, as RFC 3986 6.2.2 and 6.2.3 compare."""
    try:
        named = urlsplit(address)
        place = _place(named)
    except ValueError:
        return False
    return (
        any(place == _place(urlsplit(ours)) for ours in settings().addresses)
        and named.username is None
        and (named.path or "/") in (incoming.path, incoming.written_path)
    )


def _place(address: SplitResult) -> tuple[str, str, int | None]:
    scheme = address.scheme.lower()
    return scheme, address.hostname or "", address.port or {"http": 80, "https": 443}.get(scheme)


def _ath(access_token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()


def nonce(now: datetime, ago: int = 0) -> str:
    """The nonce of this minute, or of one some minutes ago."""
    minute = int(now.timestamp()) // NONCE_SECONDS - ago
    digest = hmac.new(_nonce_key(settings().master_key), str(minute).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


@lru_cache(maxsize=4)
def _nonce_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:openid:dpop-nonce").derive(master_key)


def _check_nonce(proof_nonce: object, now: datetime, incoming: Incoming, *, required: bool) -> None:
    if proof_nonce is None and not required:
        return
    if not isinstance(proof_nonce, str) or not any(
        same(nonce(now, ago), proof_nonce) for ago in range(NONCES_ACCEPTED)
    ):
        raise UseNonce(
            "RFC 9449 8: the proof needs the nonce of the DPoP-Nonce header.", headers={"DPoP-Nonce": nonce(now)}
        )
    if proof_nonce != nonce(now):
        # 8.2: a new nonce comes with the answer to the request that used the one before.
        incoming.headers_to_add.append(("DPoP-Nonce", nonce(now)))
