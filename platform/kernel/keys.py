"""Signing keys: what is public about them in the database, the private half in a key store, rotation without a failed
signature.

A key is published at once and signs from `signs_from` on, so that whoever caches the public set has it before the
first signature; the key before it stays published until `retires_at`, longer than the longest signature's life.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from joserfc.jwk import Key, KeySet
from joserfc.jws import JWSRegistry
from sqlalchemy import Index, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel import clock
from kernel.db import Base, Identified, session
from kernel.jobs import periodic
from kernel.keystores import FileKeyStore, KeyStore, import_key
from kernel.settings import Settings
from kernel.work import Work, action

PUBLISHED_BEFORE_SIGNING = timedelta(hours=24)
KEPT_AFTER_SIGNING = timedelta(days=2)
CACHED_SECONDS = 30.0
READ_AGAIN_SECONDS = 0.1
ROTATED_BY_SCHEDULE = ("openid", "evidence")
ALGORITHMS = ("ES256", "RS256", "EdDSA")

# RFC 9864 gives EdDSA on Ed25519 a name of its own. Others go on saying EdDSA, and no key here is of another curve, so
# the library has nothing to warn of.
JWSRegistry.algorithms["EdDSA"].security_warning = None


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
    """What is remembered of a row between requests: a row itself dies with the session that read it."""

    algorithm: str
    kid: str
    public_jwk: dict[str, Any]
    signs_from: datetime
    retires_at: datetime | None


@dataclass
class Keys:
    """This process's view of the keys, read again after half a minute: by purpose, when it was read and what."""

    store: KeyStore
    published: dict[str, tuple[float, list[PublishedKey]]]
    private: dict[str, Key]


def install_keys(app: Flask, settings: Settings) -> None:
    """Open the key store."""
    app.extensions["cordillera.keys"] = Keys(_store(settings), {}, {})


def _store(settings: Settings) -> KeyStore:
    if settings.key_store == "pkcs11":
        # Only where there is an HSM: the library loads its driver.
        from kernel.keystores_pkcs11 import Pkcs11KeyStore

        return Pkcs11KeyStore(settings.pkcs11_library, settings.pkcs11_token, settings.pkcs11_pin)
    return FileKeyStore(settings.data_dir / "keys", settings.master_key)


def _keys() -> Keys:
    found: Keys = current_app.extensions["cordillera.keys"]
    return found


def _published(purpose: str, seconds: float | None = None) -> list[PublishedKey]:
    cache = _keys().published
    read_at, known = cache.get(purpose, (float("-inf"), []))
    if time.monotonic() - read_at > (CACHED_SECONDS if seconds is None else seconds):
        known = _read_published(purpose)
        cache[purpose] = time.monotonic(), known
    return [key for key in known if key.retires_at is None or key.retires_at > clock.now()]


def _read_published(purpose: str) -> list[PublishedKey]:
    query = select(SigningKey).where(SigningKey.purpose == purpose).order_by(SigningKey.signs_from.desc())
    return [
        PublishedKey(row.algorithm, row.kid, _as_published(row.public_jwk), row.signs_from, row.retires_at)
        for row in session().scalars(query)
    ]


def _as_published(public_jwk: dict[str, Any]) -> dict[str, Any]:
    # RFC 7517 4.4: alg is optional. An Ed25519 key signs under both of its names (RFC 9864), so it is not tied to one.
    return {name: value for name, value in public_jwk.items() if name != "alg" or public_jwk["kty"] != "OKP"}


def signing_key(purpose: str, algorithm: str = "ES256") -> Key:
    """The private key that signs now for `purpose`; the first one is made when it is first asked for."""
    signing = [row for row in _published(purpose) if row.algorithm == algorithm and row.signs_from <= clock.now()]
    kid = signing[0].kid if signing else create_key(purpose, algorithm)
    keys = _keys()
    if kid not in keys.private:
        keys.private[kid] = keys.store.private(kid, algorithm)
    return keys.private[kid]


def public_jwks(purpose: str) -> dict[str, Any]:
    """Every public key of `purpose` that has signed lately, signs, or is about to, as a JWK Set (RFC 7517)."""
    return {"keys": [row.public_jwk for row in _published(purpose)]}


def verification_keys(purpose: str, kid: object = None) -> KeySet:
    """The same as `public_jwks`, ready to verify with.

    A `kid` that is none of those known has them read again: another process may have made the key a moment ago.
    """
    rows = _published(purpose)
    if kid is not None and all(row.kid != kid for row in rows):
        rows = _published(purpose, READ_AGAIN_SECONDS)
    return KeySet([import_key(row.public_jwk) for row in rows])


@action
def create_key(work: Work, purpose: str, algorithm: str) -> str:
    """The `kid` of the purpose's first key, which signs at once; several processes that ask at the same time get the
    same one.
    """
    _lock(work.session, purpose, algorithm)
    query = select(SigningKey).where(SigningKey.purpose == purpose, SigningKey.algorithm == algorithm)
    existing = [row for row in work.session.scalars(query) if row.retires_at is None]
    if existing:
        _keys().published.pop(purpose, None)
        return max(existing, key=lambda row: row.signs_from).kid
    return _add(work, purpose, algorithm, signs_from=work.now).kid


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
    public = _keys().store.create(algorithm)
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
    current.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"key:{purpose}:{algorithm}"})


@periodic("kernel:keys:rotate", "47 2 * * *")
def rotate_old_keys() -> None:
    """Every night, begin to replace the keys that have signed for `key_rotation_days`."""
    days = current_app.extensions["cordillera.settings"].key_rotation_days
    for purpose, algorithm in keys_to_rotate(clock.now() - timedelta(days=days)):
        rotate_key(purpose, algorithm)


def keys_to_rotate(made_before: datetime) -> list[tuple[str, str]]:
    """Purpose and algorithm of those of our own keys that were made before then and that nothing replaces yet.

    An agency's keys are in its own hands.
    """
    query = select(SigningKey.purpose, SigningKey.algorithm).where(
        SigningKey.purpose.in_(ROTATED_BY_SCHEDULE),
        SigningKey.retires_at.is_(None),
        SigningKey.created_at < made_before,
    )
    return [(purpose, algorithm) for purpose, algorithm in session().execute(query)]
