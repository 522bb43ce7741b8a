"""Storing what is uploaded for a communication, before there is one; what never becomes part of one is swept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from interoperability.uploads import rules
from interoperability.uploads.rules import Files, UploadedFile, in_roles
from interoperability.uploads.settings import UploadSettings
from kernel.base.errors import Invalid, Text, TooLarge, _
from kernel.base.installation import settings
from kernel.outside.documents import StoredDocument, documents

FOLDER = "communications"
"""Their place in the document store, before and after they are sent."""


class StoredUploads:
    """Documents stored on the way to a transaction: whatever fails before it begins removes them.

    From then on nothing does that is not certain: where the database's answer is lost, its rows may exist. What has
    none is an orphan, for the sweep.
    """

    def __init__(self) -> None:
        self.stored: list[StoredDocument] = []
        self.annex_bytes = 0

    def __enter__(self) -> StoredUploads:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()

    def discard(self) -> None:
        documents().discard(one.key for one in self.stored)


def store_one(chunks: Iterable[bytes], role: str, uploads: StoredUploads) -> StoredDocument:
    """One document into the store. Raises TooLarge, NotAPdf for a main document that is not one, OutOfSpace."""
    limit = settings().of(UploadSettings).max_document_bytes
    if role == "annex":
        limit = settings().of(UploadSettings).max_annexes_bytes - uploads.annex_bytes
    probe = rules.PdfProbe()
    stored = documents().store(probe.watch(chunks), limit, folder=FOLDER)
    uploads.stored.append(stored)
    if role == "main":
        probe.check()
    else:
        uploads.annex_bytes += stored.size
    return stored


@dataclass(frozen=True)
class Upload:
    """A file that an official chose in a page."""

    name: str
    media_type: str
    chunks: Iterable[bytes]


def keep_uploads(uploads: Iterable[Upload], role: str) -> Files:
    """Store what an official chose, to be looked at before it is sent; what is never sent is swept after a day.

    Raises Invalid, NotAPdf, TooLarge, OutOfSpace. Whatever it raises, nothing is kept.
    """
    files: list[UploadedFile] = []
    with StoredUploads() as stored_uploads:
        for upload in uploads:
            one = _store_upload(upload, role, stored_uploads)
            files.append(UploadedFile(one.key, upload.name, upload.media_type, one.sha256, one.size, role))
    return in_roles(files)


def _store_upload(upload: Upload, role: str, uploads: StoredUploads) -> StoredDocument:
    """One of them, and what is wrong with it at the field where it was chosen."""
    field, chunks = "annexes" if role == "annex" else "document", iter(upload.chunks)
    first = next(chunks, b"")
    if not first:
        raise Invalid(fields={field: [_("%(name)s is empty.", name=upload.name)]})
    try:
        return store_one(chain([first], chunks), role, uploads)
    except rules.NotAPdf as problem:
        problem.fields = {field: [f"{upload.name}: {problem.title}"]}
        raise
    except TooLarge as problem:
        problem.fields = {field: [_too_large(upload.name, role)]}
        raise


def _too_large(name: str, role: str) -> Text:
    if role == "annex":
        most = settings().of(UploadSettings).max_annexes_bytes // 1048576
        return _("%(name)s: the annexes can have at most %(most)s MB together.", name=name, most=most)
    most = settings().of(UploadSettings).max_document_bytes // 1048576
    return _("%(name)s: a main document can have at most %(most)s MB.", name=name, most=most)
