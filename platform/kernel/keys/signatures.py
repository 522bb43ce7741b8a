"""Signing: one port for every signature of ours. What is public about a key is in the database, the private half in a
key store that nobody else looks into; rotation without a failed signature.

A key is published at once and signs from `signs_from` on, so that whoever caches the public set has it before the
first signature; the key before it stays published until `retires_at`, longer than the longest signature's life.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from flask import Flask
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64encode
from sqlalchemy import Index, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.base import clock
from kernel.base.errors import Unavailable
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.database.db import Base, Identified, new_session, session
from kernel.jobs.jobs import periodic
from kernel.keys.stores import FileKeyStore, KeyMissing, KeyStore, import_key
from kernel.keys.stores_database import DatabaseKeyStore
from kernel.recording.work import Work, action, autonomous_work

PUBLISHED_BEFORE_SIGNING = timedelta(hours=24)
KEPT_AFTER_SIGNING = timedelta(days=2)
CACHED_SECONDS = 30.0
READ_AGAIN_SECONDS = 0.1
LONGEST_IDLE_MS = 20_000
"""A process that stands still while it makes a key keeps others from making one for no longer than this."""
ALGORITHMS = ("ES256", "RS256", "EdDSA")

log = structlog.get_logger(__name__)


class SigningKey(Base, Identified):
    """The public side of a key and its times."""

    __tablename__ = "signing_key"
    __table_args__ = (Index("ix_signing_key_purpose_algorithm", "purpose", "algorithm"),)

    purpose: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    kid: Mapped[str] = mapped_column(Text, unique=True)
    public_jwk: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    signs_from: Mapped[datetime]
    retires_at: Mapped[datetime | None]

    @property
    def code(self) -> str:
        return self.kid


@dataclass(frozen=True)
class PublishedKey:
    """A row as it is remembered between requests: a row itself dies with the session that read it."""

    algorithm: str
    kid: str
    public_jwk: dict[str, Any]
    signs_from: datetime
    retires_at: datetime | None

    @property
    def bare_jwk(self) -> dict[str, Any]:
        """The key and its name, without what it is for."""
        return {name: value for name, value in self.public_jwk.items() if name not in ("alg", "use")}


@dataclass
class Keys:
    """This process's view of the keys, read again after half a minute."""

    store: KeyStore
    published: dict[str, tuple[float, list[PublishedKey]]] = field(default_factory=dict)
    """By purpose: when they were read, and what."""
    missing: dict[str, float] = field(default_factory=dict)
    """By `kid`: when the store was last found without the private half."""


class Signature(NamedTuple):
    """A signature as JWS has it, and the public key that verifies it, as JWK."""

    value: bytes
    public_jwk: dict[str, Any]


class CompactJws(NamedTuple):
    """A signed payload with its signature (RFC 7515 7.1), and the public key that verifies it."""

    text: str
    public_jwk: dict[str, Any]


KEYS: Slot[Keys] = Slot("keys")
ROTATED_PURPOSES: Slot[Sequence[str]] = Slot("rotated_purposes", list)
"""The purposes of keys of our own; an agency's keys are in its own hands."""


def install_keys(app: Flask, settings: Settings) -> None:
    """Open the key store."""
    KEYS.fill(app, Keys(_store(settings)))


def _store(settings: Settings) -> KeyStore:
    if settings.key_store == "pkcs11":
        # Only where there is an HSM: the library loads its driver.
        from kernel.keys.stores_pkcs11 import Pkcs11KeyStore

        return Pkcs11KeyStore(settings.pkcs11_library, settings.pkcs11_token, settings.pkcs11_pin)
    files = FileKeyStore(settings.master_key, settings.data_dir / "keys")
    return files if settings.key_store == "files" else DatabaseKeyStore(settings.master_key, files)


def _keys() -> Keys:
    return KEYS()


def sign(purpose: str, content: bytes, algorithm: str = "ES256") -> Signature:
    """Sign with the key whose turn it is for `purpose`; the first one is made when it is first asked for.

    Raises Unavailable where the key store does not answer.
    """
    key, value = _sign(purpose, algorithm, lambda _: content)
    return Signature(value, key.bare_jwk)


def jws(purpose: str, header: Mapping[str, Any], content: bytes, algorithm: str = "ES256") -> CompactJws:
    """Sign as `sign` does, what is signed together with the header, to which the key's `kid` is added."""
    body = urlsafe_b64encode(content)

    def signing_input(key: PublishedKey) -> bytes:
        return urlsafe_b64encode(_compact_json({**header, "kid": key.kid})) + b"." + body

    key, value = _sign(purpose, algorithm, signing_input)
    return CompactJws((signing_input(key) + b"." + urlsafe_b64encode(value)).decode(), key.bare_jwk)


def _compact_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def ensure_key(purpose: str, algorithm: str = "ES256") -> str:
    """The `kid` of the key whose turn it is, made if there is none."""
    if not (signers := _signers(_published(purpose), algorithm)):
        create_key(purpose, algorithm)
        signers = _signers(_published(purpose), algorithm)
    return signers[0].kid


def _sign(purpose: str, algorithm: str, message_of: Callable[[PublishedKey], bytes]) -> tuple[PublishedKey, bytes]:
    """The signature, and by which key: another one stands in where the private half of the first cannot be used here.

    A node that has none of them makes one, so that a store that lost a key, or never had it, does not end all signing.
    """
    keys, is_made = _keys(), False
    while True:
        for key in _signers(_published(purpose), algorithm):
            try:
                return key, keys.store.sign(key.kid, algorithm, message_of(key))
            except KeyMissing as missing:
                keys.missing[key.kid] = time.monotonic()
                log.warning("a private key cannot be used", purpose=purpose, kid=key.kid, cause=str(missing))
        if is_made:
            raise Unavailable(log=f"the key store does not have the key of {purpose} that it has just made")
        is_made = create_key(purpose, algorithm)


def _signers(published: Sequence[PublishedKey], algorithm: str) -> list[PublishedKey]:
    """Those that may sign: first the key whose turn it is, then those before it, then those to come."""
    now, keys = clock.now(), _keys()
    may = [
        key
        for key in published
        if key.algorithm == algorithm
        and (key.retires_at is None or now < key.retires_at - KEPT_AFTER_SIGNING)
        and time.monotonic() - keys.missing.get(key.kid, float("-inf")) > CACHED_SECONDS
    ]
    coming = [key for key in reversed(may) if key.signs_from > now]
    return [*(key for key in may if key.signs_from <= now), *coming]


def _published(purpose: str, seconds: float | None = None) -> list[PublishedKey]:
    cache = _keys().published
    read_at, known = cache.get(purpose, (float("-inf"), []))
    if time.monotonic() - read_at > (CACHED_SECONDS if seconds is None else seconds):
        known = _read_published(purpose)
        cache[purpose] = time.monotonic(), known
    return [key for key in known if key.retires_at is None or key.retires_at > clock.now()]


def _read_published(purpose: str) -> list[PublishedKey]:
    query = select(SigningKey).where(SigningKey.purpose == purpose).order_by(SigningKey.signs_from.desc())
    # Beside the caller's transaction: a key that it has made is nobody's before it is committed.
    with new_session() as beside:
        return [
            PublishedKey(row.algorithm, row.kid, _as_published(row.public_jwk), row.signs_from, row.retires_at)
            for row in beside.scalars(query)
        ]


def _as_published(public_jwk: dict[str, Any]) -> dict[str, Any]:
    # RFC 7517 4.4: alg is optional. An Ed25519 key signs under both of its names (RFC 9864), so it is not tied to one.
    return {name: value for name, value in public_jwk.items() if name != "alg" or public_jwk["kty"] != "OKP"}


def public_jwks(purpose: str) -> dict[str, Any]:
    """Every public key of `purpose` that has signed lately, signs, or is about to, as a JWK Set (RFC 7517)."""
    # Never from memory: another node may have had to make a key that signs at once.
    return {"keys": [row.public_jwk for row in _published(purpose, 0)]}


def verification_keys(purpose: str, kid: object = None) -> KeySet:
    """The public keys, ready to verify with.

    A `kid` that is none of those known has them read again: another process may have made the key a moment ago.
    """
    rows = _published(purpose)
    if kid is not None and all(row.kid != kid for row in rows):
        rows = _published(purpose, READ_AGAIN_SECONDS)
    return KeySet([import_key(row.public_jwk) for row in rows])


def create_key(purpose: str, algorithm: str) -> bool:
    """Make a key of the purpose that signs at once, unless another process has done so since this one looked.

    In a transaction of its own: what it has signed is to be verified even if the caller's transaction fails.
    """
    with autonomous_work() as work:
        _lock(work.session, purpose, algorithm)
        # Not from memory: what another thread has read before the lock was free may come into it at any moment.
        is_needed = not _signers(_read_published(purpose), algorithm)
        if is_needed:
            _add(work, purpose, algorithm, signs_from=work.now)
    _keys().published.pop(purpose, None)
    return is_needed


@action
def rotate_key(work: Work, purpose: str, algorithm: str, signs_in: timedelta = PUBLISHED_BEFORE_SIGNING) -> SigningKey:
    """Publish the next key now, let it sign after `signs_in`, and retire the one before when its last signature has
    expired.
    """
    _lock(work.session, purpose, algorithm)
    query = select(SigningKey).where(
        SigningKey.purpose == purpose, SigningKey.algorithm == algorithm, SigningKey.retires_at.is_(None)
    )
    for row in work.session.scalars(query):
        row.retires_at = work.now + signs_in + KEPT_AFTER_SIGNING
        work.record("kernel:key:retired", row, purpose=purpose, retires_at=row.retires_at.isoformat())
    return _add(work, purpose, algorithm, signs_from=work.now + signs_in)


def _add(work: Work, purpose: str, algorithm: str, signs_from: datetime) -> SigningKey:
    public = _keys().store.create(algorithm, work.session)
    row = SigningKey(
        purpose=purpose,
        algorithm=algorithm,
        kid=public["kid"],
        public_jwk=public,
        created_at=work.now,
        signs_from=signs_from,
    )
    work.add(row)
    work.record("kernel:key:created", row, purpose=purpose, algorithm=algorithm, signs_from=signs_from.isoformat())
    _keys().published.pop(purpose, None)
    return row


def _lock(current: Session, purpose: str, algorithm: str) -> None:
    limit = text("SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true)")
    current.execute(limit, {"milliseconds": str(LONGEST_IDLE_MS)})
    current.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"key:{purpose}:{algorithm}"})


@periodic("kernel:keys:rotate", "47 2 * * *")
def rotate_old_keys() -> None:
    """Every night, begin to replace the keys that have signed for `key_rotation_days`."""
    days = SETTINGS().key_rotation_days
    for purpose, algorithm in keys_to_rotate(clock.now() - timedelta(days=days)):
        rotate_key(purpose, algorithm)


def keys_to_rotate(made_before: datetime) -> list[tuple[str, str]]:
    """Purpose and algorithm of those of our own keys that were made before then and that nothing replaces yet."""
    query = select(SigningKey.purpose, SigningKey.algorithm).where(
        SigningKey.purpose.in_(ROTATED_PURPOSES()),
        SigningKey.retires_at.is_(None),
        SigningKey.created_at < made_before,
    )
    query = query.distinct().order_by(SigningKey.purpose, SigningKey.algorithm)
    return [(purpose, algorithm) for purpose, algorithm in session().execute(query)]
