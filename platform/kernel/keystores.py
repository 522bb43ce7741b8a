"""Where private keys live: in files sealed under the master key, unless an HSM keeps them (`keystores_pkcs11`)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from kernel.crypto import seal, unseal

RSA_BITS = 2048


class KeyStore(Protocol):
    """Where private keys live."""

    def create(self, algorithm: str) -> dict[str, Any]:
        """Make and keep a private key; its public JWK with `kid` (RFC 7638 thumbprint)."""

    def private(self, kid: str, algorithm: str) -> Key:
        """The key that signs. Raises KeyMissing."""


class KeyMissing(Exception):
    """The database names a key that this node's key store does not have."""


def published(key: Key, kid: str, algorithm: str) -> dict[str, Any]:
    """The public half as it stands in a key set."""
    return {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}


def import_key(fields: dict[str, Any]) -> Key:
    """The key of a JWK."""
    kinds: dict[str, type[ECKey] | type[RSAKey] | type[OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    return kinds[fields["kty"]].import_key(fields)


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
        return published(key, kid, algorithm)

    def private(self, kid: str, algorithm: str) -> Key:
        try:
            sealed = (self.folder / f"{kid}.key").read_bytes()
        except FileNotFoundError as error:
            raise KeyMissing(kid) from error
        fields = json.loads(unseal(self.master_key, sealed, f"key:{kid}"))
        return import_key({**fields, "kid": kid})


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
