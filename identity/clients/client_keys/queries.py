"""The public keys of a client: those it registered, or those at its address, fetched with care and remembered."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from identity.clients.client_keys.rules import MAX_JWKS_BYTES, HasKeys, checked_jwks, declared_end, is_for, usable_keys
from kernel.base.errors import Invalid, Problem, _
from kernel.base.slots import Slot
from kernel.outside import outbound
from kernel.outside.bulkheads import Saturated
from kernel.recording.work import in_action

PublicKey = RSAKey | ECKey | OKPKey
FRESH_SECONDS = 600
"""The time for which fetched keys are used without asking again."""
STALE_SECONDS = 24 * 3600
"""The time for which they are used while their address does not answer."""
RETRY_SECONDS = 30
"""The time after which an address is asked again that had no answer, or none with the key looked for."""
FETCH_SECONDS = 3.0
REMEMBERED_ADDRESSES = 2_000
log = structlog.get_logger(__name__)


@dataclass
class _Fetched:
    """The answer of an address, and when it was last asked (seconds of the monotonic clock)."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")
    may_ask_again: bool = True
    """Whether an unknown name may have it asked once more before it has rested."""


def validated_jwks(jwks: object) -> dict[str, Any]:
    """The set as it is kept, every key of it a point on its curve or a modulus that can be used. Raises Invalid."""
    key_set = checked_jwks(jwks)
    for number, key in enumerate(key_set["keys"], start=1):
        if imported(json.dumps(key)) is None:
            raise Invalid(fields={"jwks": [_("Key %(number)s cannot be read.", number=number)]})
        if "x5c" in key and not _certifies(key):
            raise Invalid(
                fields={"jwks": [_("Key %(number)s: its certificate belongs to another key.", number=number)]}
            )
    return key_set


def check_jwks_uri(uri: str) -> None:
    """Whether keys may be fetched from an address: its name is looked up, so call it outside of transactions.

    Raises Invalid, also for a private one.
    """
    if len(uri) > 1_000 or "#" in uri:
        raise Invalid(fields={"jwks_uri": [_("A public address that begins with https.")]})
    try:
        outbound.check_url(uri)
    except outbound.AddressRefused as refused:
        raise Invalid(fields={"jwks_uri": [_("A public address that begins with https.")]}, log=refused.log) from None


def keys_of(client: HasKeys, kid: str | None, use: str = "sig") -> list[PublicKey]:
    """The client's keys for verifying (`sig`) or encrypting (`enc`): the one named, or all where none is named.

    Raises Saturated where their address would have to be asked and too much is being asked already.
    """
    return [
        public_key for key in jwks_of(client, kid) if is_for(key, use) and (public_key := imported(json.dumps(key)))
    ]


def jwks_of(client: HasKeys, kid: str | None = None) -> list[Mapping[str, Any]]:
    """Return a client's keys as they were registered or fetched, for any use."""
    if client.jwks is not None:
        keys: list[Mapping[str, Any]] = client.jwks["keys"]
    elif client.jwks_uri is not None:
        keys = [*_fetched(client.jwks_uri, kid)]
    else:
        keys = []
    return [key for key in keys if kid is None or key.get("kid") == kid]


FETCHED: Slot[dict[str, _Fetched]] = Slot("client_keys", dict)


def _fetched(uri: str, kid: str | None) -> list[dict[str, Any]]:
    known = FETCHED()
    if len(known) >= REMEMBERED_ADDRESSES:
        known.clear()
    fetched, now = known.setdefault(uri, _Fetched()), time.monotonic()
    is_missing = kid is not None and all(key.get("kid") != kid for key in fetched.keys)
    # OIDC Core 10.1.1: an unknown name means a new key, so the address is asked at once; but not by each of many wrong
    # names. Even a moment after it was asked it may be asked once more: who has just begun may change keys too.
    has_rested = now - fetched.asked_at > RETRY_SECONDS
    is_due = (now - fetched.fetched_at > FRESH_SECONDS or is_missing) and (
        has_rested or (is_missing and fetched.may_ask_again)
    )
    # In an action what is remembered has to do: whoever needs more asks before it.
    if is_due and not in_action():
        before, (fetched.asked_at, fetched.may_ask_again) = (fetched.asked_at, fetched.may_ask_again), (now, has_rested)
        try:
            fetched.keys, fetched.fetched_at = published_keys(uri), now
        except Saturated:
            # The address was not asked, and has nothing to rest from.
            fetched.asked_at, fetched.may_ask_again = before
            if now - fetched.fetched_at > STALE_SECONDS:
                raise
        except Problem as problem:
            log.warning("client keys not fetched", uri=uri, cause=problem.log or problem.kind)
    return fetched.keys if now - fetched.fetched_at <= STALE_SECONDS else []


def published_keys(uri: str) -> list[dict[str, Any]]:
    """The keys at an address, asked now. Raises Invalid, AddressRefused, BadGateway, GatewayTimeout."""
    return usable_keys(_json_at(uri))


def published_at(uri: str) -> Any:
    """Fetch the JSON that a client publishes at a public address; None where it cannot be had. Raises Saturated."""
    try:
        return _json_at(uri)
    except Saturated:
        raise
    except Problem as problem:
        log.warning("client document not fetched", uri=uri, cause=problem.log or problem.kind)
        return None


def _json_at(uri: str) -> Any:
    headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
    answer = outbound.send("GET", uri, headers=headers, timeout=FETCH_SECONDS)
    body = outbound.read(answer, MAX_JWKS_BYTES, FETCH_SECONDS)
    if answer.status_code != 200:
        raise Invalid(log=f"the address answered {answer.status_code}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid(log="the address did not answer with JSON") from error


@lru_cache(maxsize=2_048)
def imported(key: str) -> PublicKey | None:
    """A public JWK, in JSON, as a key to work with; None for what is no key."""
    try:
        parsed = import_key(json.loads(key))
        parsed.public_key  # noqa: B018 - reading it proves that the point is on the curve
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return parsed if isinstance(parsed, RSAKey | ECKey | OKPKey) else None


def _certifies(key: Mapping[str, Any]) -> bool:
    """RFC 7517 4.7: the key in the first certificate is the key."""
    certificate, parsed = certificate_of(key), imported(json.dumps(key))
    if certificate is None or parsed is None:
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(certificate.public_key().public_bytes(*form) == parsed.public_key.public_bytes(*form))


def certificate_of(key: Mapping[str, Any]) -> x509.Certificate | None:
    """The first certificate of the key's `x5c`."""
    chain = key.get("x5c")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))  # type: ignore[index]
    except (TypeError, ValueError, LookupError):
        return None


def end_of(key: Mapping[str, Any]) -> datetime | None:
    """Return the end of a registered key: by its own word, or with its certificate. None where it does not end."""
    certificate = certificate_of(key) if "x5c" in key else None
    ends = [declared_end(key), certificate.not_valid_after_utc.astimezone(UTC) if certificate else None]
    return min((end for end in ends if end is not None), default=None)
