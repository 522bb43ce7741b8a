"""Letters of the outbox, and how their links are found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# Where a link ends in running text: before a space or a bracket, and without the full stop of its sentence.
_LINK = re.compile(r"(https?://[^\s<>\"]+[^\s<>\".,;:!?)])")


@dataclass(frozen=True)
class Letter:
    """A mail or an SMS that was not sent. `id` is its file's name, a UUIDv7."""

    id: UUID
    at: datetime
    to: str
    subject: str
    text: str

    @property
    def paragraphs(self) -> list[list[tuple[str, bool]]]:
        """The text, paragraph by paragraph, in pieces of which each says whether it is a link."""
        return [_pieces(paragraph) for paragraph in self.text.split("\n\n") if paragraph.strip()]


def _pieces(text: str) -> list[tuple[str, bool]]:
    return [(piece, bool(_LINK.fullmatch(piece))) for piece in _LINK.split(text) if piece]
