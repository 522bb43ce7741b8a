"""Files that go into a communication: which were chosen so far, and whether one is a PDF by its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kernel.base.errors import UnsupportedMediaType, _

PDF = "application/pdf"
FILES_KEPT = timedelta(hours=18)
"""The time for which the page may be left open. Files that belong to no communication are swept after a day."""


@dataclass(frozen=True)
class UploadedFile:
    """A file in the store that belongs to no communication yet."""

    key: str
    name: str
    media_type: str
    sha256: str
    size: int
    role: str


@dataclass(frozen=True)
class Files:
    """The main document and the annexes that were chosen so far."""

    main: UploadedFile | None = None
    annexes: tuple[UploadedFile, ...] = ()

    @property
    def all(self) -> list[UploadedFile]:
        return [*([self.main] if self.main else []), *self.annexes]

    def with_newer(self, newer: Files) -> Files:
        """These files; what was chosen since takes the place of what there was."""
        return replace(self, main=newer.main or self.main, annexes=newer.annexes or self.annexes)


def in_roles(files: Sequence[UploadedFile]) -> Files:
    """The files by the parts that they play."""
    main = next((one for one in files if one.role == "main"), None)
    return Files(main, tuple(one for one in files if one.role != "main"))


class NotAPdf(UnsupportedMediaType):
    kind = "not-a-pdf"
    title = _("The main document is not a PDF")
    explanation = _("The bytes of the main document do not begin and end as those of a complete PDF file.")
    remedy = _("Save it as PDF and send it again. Nothing was stored.")


class PdfProbe:
    """Looks at a document on its way: header in front, cross-reference and end mark behind (ISO 32000-1 7.5)."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._head = self._head if len(self._head) >= 1024 else (self._head + chunk)[:1024]
            self._tail = (self._tail + chunk)[-2048:]
            yield chunk

    def check(self) -> None:
        """Raise NotAPdf unless what passed is one."""
        # Readers look for the header in the first 1,024 bytes and for the end mark in the last ones.
        if b"%PDF-" not in self._head or b"%%EOF" not in self._tail[-1024:] or b"startxref" not in self._tail:
            raise NotAPdf()
