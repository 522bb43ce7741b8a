"""Settings of the files of a communication."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UploadSettings:
    """Each field is `CORDILLERA_` and its name in capitals."""

    max_document_bytes: int = 20 * 1024 * 1024
    """Largest main document of a communication."""
    max_annexes_bytes: int = 50 * 1024 * 1024
    """Largest sum of a communication's annexes."""


DECLARED = UploadSettings
