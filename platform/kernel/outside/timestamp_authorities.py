"""The authority that gives timestamps here: another one by HTTP, our own for development, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from flask import Flask

from kernel.base.errors import BadGateway
from kernel.base.settings import LOCAL_TIMESTAMPS, Settings, SettingsError
from kernel.keys.timestamps import AUTHORITY, Authority
from kernel.outside import outbound

MAX_TOKEN_BYTES = 64 * 1024


@dataclass(frozen=True)
class RemoteAuthority:
    """An authority at an address (RFC 3161 3.4)."""

    url: str
    trusted: Sequence[bytes]

    def answer(self, request: bytes) -> bytes:
        headers = {
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
            "Content-Length": str(len(request)),
        }
        response = outbound.send("POST", self.url, headers=headers, content=request)
        body = outbound.read(response, MAX_TOKEN_BYTES)
        if response.status_code != 200:
            raise BadGateway(log=f"the timestamp authority answers {response.status_code}")
        return body

    def certificates(self) -> Sequence[bytes]:
        return self.trusted


def install_timestamps(app: Flask, settings: Settings) -> None:
    """Choose the authority. Raises SettingsError for certificates that cannot be read."""
    AUTHORITY.fill(app, _authority(settings))


def _authority(settings: Settings) -> Authority | None:
    if settings.timestamp_authority == LOCAL_TIMESTAMPS:
        return _Local()
    if settings.timestamp_authority:
        return RemoteAuthority(settings.timestamp_authority, _certificates(settings.timestamp_certificates))
    return None


class _Local:
    """Our own authority, which is loaded when it is first asked."""

    def answer(self, request: bytes) -> bytes:
        from kernel.keys.timestamps_local import LocalAuthority

        return LocalAuthority().answer(request)

    def certificates(self) -> Sequence[bytes]:
        from kernel.keys.timestamps_local import LocalAuthority

        return LocalAuthority().certificates()


def _certificates(file: str) -> list[bytes]:
    try:
        certificates = load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError("CORDILLERA_TIMESTAMP_CERTIFICATES must name a readable PEM file") from error
    return [each.public_bytes(Encoding.DER) for each in certificates]
