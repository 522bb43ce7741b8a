"""Documents: streamed in, whole or not at all; streamed out, checked against their digest.

A document is written under a key of its own before anything refers to it; the transaction that names the key comes
after. A file whose transaction never came is an orphan, which `sweep` removes a day later: nothing is half stored.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import obstore
import prometheus_client
import structlog
from flask import Flask, Response, current_app, request
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from kernel.base import clock
from kernel.base.errors import BadRequest, OutOfSpace, Problem, TooLarge, Unavailable, Words, _
from kernel.base.ids import new_id
from kernel.base.request_id import current_request_id, take_request_id
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.jobs.access import act_as, current_principal
from kernel.outside.bulkheads import outward_calls

READ_BYTES = 256 * 1024
WRITE_BYTES = 5 * 1024 * 1024  # the smallest part that S3 takes
ORPHAN_AFTER = timedelta(days=1)
# ENOSPC, EDQUOT and EFBIG, as the store's library words them; it keeps no errno.
NO_ROOM = re.compile(r"\(os error (28|122|27)\)")
ONE_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18}))")
UNFINISHED = re.compile(r".+#\d+")  # what a killed process leaves of a local upload

DAMAGED = prometheus_client.Counter(
    "cordillera_documents_damaged", "Readings of documents that were not what was stored, or missing"
)

log = structlog.get_logger(__name__)


class DocumentDamaged(Problem):
    """A document is not the one that was stored."""

    kind = "document-damaged"
    title = _("The document is damaged")
    explanation = _(
        "What is stored is no longer what was sent, or it is missing. It is not handed over, and this was recorded."
    )
    remedy = _("Ask the sender to send it again, and tell us the request number.")
    for_people = Words(
        _("This document is damaged"),
        _(
            "What we keep is no longer exactly what was sent, or it is missing. We do not hand it over, so that nobody "
            "takes it for the original. This was recorded for our operators. Nothing was changed."
        ),
        _("Ask the sender to send it again. If you need it soon, write to us with the request number below."),
    )


@dataclass(frozen=True)
class StoredDocument:
    """A document in the store: its SHA-256 in hexadecimal, its size in bytes, and the key that finds it again."""

    sha256: str
    size: int
    key: str


class RangeNotSatisfiable(Problem):
    kind = "range-not-satisfiable"
    status = 416
    title = _("The document does not have that part")
    explanation = _("The Range header asks for bytes beyond the end of the document.")
    remedy = _("Ask for a range within its size, or for the whole document.")


class OtherDocument(Problem):
    kind = "precondition-failed"
    status = 412
    title = _("The document is not the one that was asked for")
    explanation = _("The If-Match header names a different copy from the one here.")
    remedy = _("Ask without If-Match, or with the ETag of the document.")


class DocumentRow(Protocol):
    """A row that names a stored document."""

    key: str
    name: str
    media_type: str
    size: int
    sha256: str


class DocumentStore:
    """Documents on an object store. `local_folder` is where they lie when the store is this machine's disk."""

    def __init__(self, objects: ObjectStore, local_folder: Path | None = None) -> None:
        self._objects = objects
        self._local_folder = local_folder

    def store(
        self, chunks: Iterable[bytes], limit: int, *, folder: str, expected_size: int | None = None
    ) -> StoredDocument:
        """Write a document as it arrives; it exists under its key only once it is complete and on the disk.

        Raises TooLarge beyond `limit` bytes, BadRequest when it is not of `expected_size`, OutOfSpace, Unavailable, and
        whatever `chunks` raises.
        """
        key = f"{folder}/{clock.now():%Y/%m}/{new_id()}"
        counted = _Counted(chunks, limit, expected_size)
        try:
            with self._place():
                obstore.put(self._objects, key, iter(counted), chunk_size=WRITE_BYTES, max_concurrency=2)
            self._flush(key)
        except BaseError as error:
            raise _problem(error) from error
        return StoredDocument(counted.sha256, counted.size, key)

    def _place(self) -> AbstractContextManager[object]:
        """A place to wait for a store that is elsewhere. Raises Saturated."""
        return nullcontext() if self._local_folder else outward_calls().take("documents", "document store")

    def _flush(self, key: str) -> None:
        """Force a local file and its name to the disk: the row that will name it survives a power cut, so must it."""
        if self._local_folder is None:
            return
        path = self._local_folder / key
        for each in (path, path.parent):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def open(self, key: str, sha256: str) -> Iterator[bytes]:
        """The document in chunks, the last one held back until the digest is right: damaged, it never arrives complete.

        Raises DocumentDamaged, Unavailable: before anything is handed over where there is nothing to read, or all of
        it is read at once.
        """
        chunks = self._checked(key, sha256)
        return chain([next(chunks)], chunks)

    def check(self, key: str, sha256: str) -> None:
        """Read the whole document. Raises DocumentDamaged, Unavailable."""
        for _chunk in self._checked(key, sha256):
            pass

    def _checked(self, key: str, sha256: str) -> Iterator[bytes]:
        digest, held = hashlib.sha256(), b""
        for chunk in self._chunks(key):
            digest.update(chunk)
            if held:
                yield held
            held = chunk
        if digest.hexdigest() != sha256:
            DAMAGED.inc()
            log.critical("document damaged", key=key, expected=sha256, found=digest.hexdigest())
            raise DocumentDamaged(log=f"{key} does not have its digest")
        yield held

    def _chunks(self, key: str) -> Iterator[bytes]:
        try:
            with self._place():
                for chunk in obstore.get(self._objects, key).stream(min_chunk_size=READ_BYTES):
                    yield bytes(chunk)
        except FileNotFoundError as error:
            DAMAGED.inc()
            log.critical("document missing", key=key)
            raise DocumentDamaged(log=f"{key} is missing") from error
        except BaseError as error:
            raise _problem(error) from error

    def discard(self, keys: Iterable[str]) -> None:
        """Remove documents that nothing will refer to; what cannot be removed now is an orphan for the sweep."""
        for key in keys:
            with suppress(BaseError, FileNotFoundError):
                obstore.delete(self._objects, key)

    def sweep(self, folder: str, known: Callable[[Sequence[str]], set[str]]) -> int:
        """Remove what lies in `folder` for a day and has no row; the number removed.

        `known` tells which of some keys have a row.
        """
        oldest, removed = clock.now() - ORPHAN_AFTER, 0
        for batch in obstore.list(self._objects, folder, chunk_size=500):
            keys = [entry["path"] for entry in batch if entry["last_modified"] < oldest]
            orphans = set(keys) - (known(keys) if keys else set())
            self.discard(orphans)
            removed += len(orphans)
        return removed + self._sweep_unfinished(folder, oldest)

    def _sweep_unfinished(self, folder: str, oldest: datetime) -> int:
        """Local uploads that a killed process began; the store's own listing hides them."""
        if self._local_folder is None:
            return 0
        stale = [
            path
            for path in (self._local_folder / folder).rglob("*#*")
            if UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < oldest.timestamp()
        ]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


class _Counted:
    """Chunks that are counted and digested on their way."""

    def __init__(self, chunks: Iterable[bytes], limit: int, expected_size: int | None) -> None:
        self._chunks, self._limit, self._expected_size = chunks, limit, expected_size
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._limit:
                raise TooLarge(log=f"beyond {self._limit} bytes")
            self._digest.update(chunk)
            yield chunk
        if self._expected_size is not None and self.size != self._expected_size:
            raise BadRequest(log=f"{self.size} bytes arrived of {self._expected_size}")

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _problem(error: BaseError) -> Problem:
    if NO_ROOM.search(str(error)):
        return OutOfSpace(log="the document store is full")
    return Unavailable(log=f"document store: {type(error).__name__}", headers={"Retry-After": "30"})


def open_store(settings: Settings) -> DocumentStore:
    """The store that the settings name: a bucket, or the folder `documents` of the data directory."""
    if settings.documents_url:
        return DocumentStore(S3Store.from_url(settings.documents_url))
    folder = settings.data_dir / "documents"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return DocumentStore(LocalStore(prefix=folder), folder)


DOCUMENTS: Slot[DocumentStore] = Slot("documents")


def install_documents(app: Flask, settings: Settings) -> None:
    """One store an application."""
    DOCUMENTS.fill(app, open_store(settings))


def documents() -> DocumentStore:
    """This application's document store."""
    return DOCUMENTS()


def send_document(
    row: DocumentRow, delivered: Callable[[range], None] | None = None, *, is_for_person: bool = False
) -> Response:
    """A stored document as a download: its ETag is its digest, conditions and ranges are honoured, it runs nowhere.

    is_for_person: where all of it is asked for, read it whole before. A damaged one then has a page that says so, where
    a browser would only say that the download failed.
    delivered: called, as the caller of this request, with the bytes that were handed over, when the last of them was or
    the connection broke off. Not where none is to be handed over, as for HEAD or a copy that the caller has.
    """
    response = Response(documents().open(row.key, row.sha256), mimetype=row.media_type)
    response.content_length = row.size
    response.set_etag(row.sha256)
    response.headers.set("Content-Disposition", "attachment", **_file_name(row.name))
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Accept-Ranges"] = "bytes"
    try:
        response.make_conditional(request, accept_ranges=_asks_for_a_part(row), complete_length=row.size)
    except RequestedRangeNotSatisfiable as error:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{row.size}"}) from error
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise OtherDocument()
    if is_for_person and response.status_code == HTTPStatus.OK and request.method == "GET":
        documents().check(row.key, row.sha256)
    if delivered is not None:
        first = response.content_range.start or 0
        response.response = _watched(response.iter_encoded(), first, _as_caller(delivered))
    return response


def _as_caller(delivered: Callable[[range], None]) -> Callable[[range], None]:
    """For when this request's context has ended: as its caller, and under its name in the logs."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy has it
    caller, request_id = current_principal(), current_request_id()

    def run(part: range) -> None:
        with app.app_context():
            act_as(caller)
            take_request_id(request_id)
            try:
                delivered(part)
            except (Problem, SQLAlchemyError) as error:
                # The answer has gone: only the operator can be told.
                log.error("a delivery could not be noted", cause=type(error).__name__)

    return run


def _watched(chunks: Iterable[bytes], first: int, delivered: Callable[[range], None]) -> Iterator[bytes]:
    """The chunks, and at the end which bytes they were. Who asks for another one has given the one before away."""
    after = first
    try:
        for chunk in chunks:
            yield chunk
            after += len(chunk)
    except GeneratorExit:
        delivered(range(first, after))
        raise
    delivered(range(first, after))


def _asks_for_a_part(row: DocumentRow) -> bool:
    """RFC 9110 14.2: what is not one range of bytes is passed over, and the whole document is sent."""
    # RFC 9110 13.2.2: what is said of the caller's own copy is looked at before the range.
    if row.sha256 in request.if_none_match or (request.if_match and row.sha256 not in request.if_match):
        return False
    range_match = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if range_match is None:
        return False
    if range_match["suffix"]:
        return 0 < int(range_match["suffix"]) < row.size  # the last bytes of more than there are: all of them
    return not range_match["last"] or int(range_match["first"]) <= int(range_match["last"])


def _file_name(name: str) -> dict[str, str]:
    """RFC 6266: a plain name for all, and the real one where it needs more than ASCII."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return {"filename": plain} if plain == name else {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
