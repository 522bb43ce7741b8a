"""Signing keys: what is public about them in the database, the private half in a key store, rotation without a failed
signature.

A key is published at once and signs from `signs_from` on, so that whoever caches the public set has it before the
first signature; the key before it stays published until `retires_at`, longer than the longest signature's life.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from flask import Flask, current_app
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from sqlalchemy import Index, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel import clock
from kernel.crypto import seal, unseal
from kernel.db import Base, Identified, session
from kernel.settings import Settings
from kernel.work import Work, action

PUBLISHED_BEFORE_SIGNING = timedelta(hours=24)
KEPT_AFTER_SIGNING = timedelta(days=2)
CACHED_SECONDS = 30
READ_AGAIN_SECONDS = 0.1
ALGORITHMS = ("ES256", "RS256", "EdDSA")


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


class KeyStore(Protocol):
    """Where private keys live."""

    def create(self, algorithm: str) -> dict[str, Any]:
        """Make and keep a private key; its public JWK with `kid` (RFC 7638 thumbprint)."""

    def private(self, kid: str, algorithm: str) -> Key:
        """The key that signs. Raises KeyMissing."""


class KeyMissing(Exception):
    """The database names a key that this node's key store does not have."""


@dataclass(frozen=True)
class FileKeyStore:
    """Private keys as files, each sealed under the master key and bound to its `kid`."""

    folder: Path
    master_key: bytes

    def create(self, algorithm: str) -> dict[str, Any]:
        key = _generate(algorithm)
        kid = key.thumbprint()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sealed = seal(self.master_key, json.dumps(key.as_dict(private=True)).encode(), f"key:{kid}")
        _write_durably(self.folder / f"{kid}.key", sealed)
        return {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}

    def private(self, kid: str, algorithm: str) -> Key:
        try:
            sealed = (self.folder / f"{kid}.key").read_bytes()
        except FileNotFoundError as error:
            raise KeyMissing(kid) from error
        fields = json.loads(unseal(self.master_key, sealed, f"key:{kid}"))
        return _import({**fields, "kid": kid, "alg": algorithm})


def _write_durably(path: Path, content: bytes) -> None:
    """On the disk before anything refers to it: a key that signed must not be lost."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _generate(algorithm: str) -> Key:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", auto_kid=False)
    if algorithm == "RS256":
        return RSAKey.generate_key(2048, auto_kid=False)
    return OKPKey.generate_key("Ed25519", auto_kid=False)


def _import(fields: dict[str, Any]) -> Key:
    kinds: dict[str, type[ECKey] | type[RSAKey] | type[OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    return kinds[fields["kty"]].import_key(fields)


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
    store = FileKeyStore(settings.data_dir / "keys", settings.master_key)
    app.extensions["cordillera.keys"] = Keys(store, {}, {})


def _keys() -> Keys:
    found: Keys = current_app.extensions["cordillera.keys"]
    return found


def _published(purpose: str, seconds: float = CACHED_SECONDS) -> list[PublishedKey]:
    cache = _keys().published
    read_at, known = cache.get(purpose, (float("-inf"), []))
    if time.monotonic() - read_at > seconds:
        known = _read_published(purpose)
        cache[purpose] = time.monotonic(), known
    return [key for key in known if key.retires_at is None or key.retires_at > clock.now()]


def _read_published(purpose: str) -> list[PublishedKey]:
    query = select(SigningKey).where(SigningKey.purpose == purpose).order_by(SigningKey.signs_from.desc())
    return [
        PublishedKey(row.algorithm, row.kid, dict(row.public_jwk), row.signs_from, row.retires_at)
        for row in session().scalars(query)
    ]


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
    return KeySet([_import(row.public_jwk) for row in rows])


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
