"""Stores in which private keys live and sign: the database (`stores_database`), files, or an HSM (`stores_pkcs11`).

Nobody else sees a private key. What a store is asked for is a signature.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from sqlalchemy.orm import Session

from kernel.base.crypto import SealBroken, seal, unseal

RSA_BITS = 2048

# RFC 9864 gives EdDSA on Ed25519 a name of its own. Others go on saying EdDSA, and no key here is of another curve, so
# the library has nothing to warn of.
JWSRegistry.algorithms["EdDSA"].security_warning = None


class KeyStore(Protocol):
    """A place in which private keys live."""

    def create(self, algorithm: str, session: Session) -> dict[str, Any]:
        """Make and keep a private key; its public JWK with `kid` (RFC 7638 thumbprint).

        session: the transaction in which the public half is written down.
        """

    def sign(self, kid: str, algorithm: str, message: bytes) -> bytes:
        """The signature as JWS has it (RFC 7518 3). Raises KeyMissing, and Unavailable where the store is away."""


class KeyMissing(Exception):
    """The database names a key whose private half cannot be used here."""


def public_half(key: Key, kid: str, algorithm: str) -> dict[str, Any]:
    """The public half as it stands in a key set."""
    return {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}


def import_key(fields: dict[str, Any]) -> Key:
    """The key of a JWK."""
    kinds: dict[str, type[ECKey] | type[RSAKey] | type[OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    return kinds[fields["kty"]].import_key(fields)


@dataclass
class SealedKeyStore(ABC):
    """Private keys sealed under the master key, each bound to its `kid`. Where they lie sealed is the kind's affair."""

    master_key: bytes
    _opened: dict[str, Key] = field(default_factory=dict, init=False, repr=False)

    def create(self, algorithm: str, session: Session) -> dict[str, Any]:
        key = _generate(algorithm)
        kid = key.thumbprint()
        sealed = seal(self.master_key, json.dumps(key.as_dict(private=True)).encode(), f"key:{kid}")
        self._keep(kid, sealed, session)
        return public_half(key, kid, algorithm)

    def sign(self, kid: str, algorithm: str, message: bytes) -> bytes:
        if kid not in self._opened:
            self._opened[kid] = self._open(kid)
        return JWSRegistry.algorithms[algorithm].sign(message, self._opened[kid])

    def _open(self, kid: str) -> Key:
        sealed = self._read(kid)
        if sealed is None:
            raise KeyMissing("it is not in the store")
        try:
            fields = json.loads(unseal(self.master_key, sealed, f"key:{kid}"))
        except SealBroken as error:
            raise KeyMissing("another master key sealed it, or it was changed") from error
        return import_key({**fields, "kid": kid})

    @abstractmethod
    def _keep(self, kid: str, sealed: bytes, session: Session) -> None: ...

    @abstractmethod
    def _read(self, kid: str) -> bytes | None: ...


@dataclass
class FileKeyStore(SealedKeyStore):
    """Sealed keys as files of one node."""

    folder: Path

    def _keep(self, kid: str, sealed: bytes, session: Session) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_durably(self.folder / f"{kid}.key", sealed)

    def _read(self, kid: str) -> bytes | None:
        try:
            return (self.folder / f"{kid}.key").read_bytes()
        except FileNotFoundError:
            return None

    def sealed(self) -> dict[str, bytes]:
        """Every key that lies here, sealed, by its `kid`."""
        return {path.stem: path.read_bytes() for path in self.folder.glob("*.key")}


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
        return RSAKey.generate_key(RSA_BITS, auto_kid=False)
    return OKPKey.generate_key("Ed25519", auto_kid=False)
