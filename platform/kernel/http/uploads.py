"""Uploads: the parts of a multipart/form-data body (RFC 7578), one by one as they arrive, never whole in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from kernel.base.errors import BadRequest, Problem, TooLarge, UnsupportedMediaType, _
from kernel.database.db import session

READ_BYTES = 64 * 1024
MAX_PARTS = 100
LONGEST_UPLOAD = timedelta(hours=12)
"""The time that a body may take in all: what came first of it must not be swept before the last has come."""


class UploadTooLong(Problem):
    kind = "upload-too-long"
    status = 408
    title = _("The upload takes too long")
    explanation = _("The body has been coming for twelve hours and is not complete. Nothing of it was kept.")
    remedy = _("Send it over a faster connection.")


@dataclass(frozen=True)
class Part:
    """A part of the body. `chunks` must be read before the next part is asked for; what is left of it is skipped."""

    name: str
    filename: str
    media_type: str
    chunks: Iterator[bytes]

    def read(self, limit: int) -> bytes:
        """A small part as a whole. Raises TooLarge."""
        whole = bytearray()
        for chunk in self.chunks:
            whole += chunk
            if len(whole) > limit:
                raise TooLarge(log=f"part {self.name} beyond {limit} bytes")
        return bytes(whole)


def parts_of(request: Request, limit: int) -> Iterator[Part]:
    """The parts of a request's body of at most `limit` bytes.

    The database connection goes back to the pool first: an upload may take minutes. Raises BadRequest for a body that
    is malformed or breaks off, TooLarge, UploadTooLong, UnsupportedMediaType.
    """
    media_type, options = parse_options_header(request.headers.get("Content-Type"))
    # RFC 9110 8.3.1: a media type has no case.
    if media_type.lower() != "multipart/form-data":
        raise UnsupportedMediaType.send_as("multipart/form-data", media_type)
    if not options.get("boundary"):
        raise UnsupportedMediaType(_("The Content-Type lacks the boundary between the parts."))
    session().close()
    request.max_content_length = limit
    yield from _parts(_events(request, options["boundary"]))


def _events(request: Request, boundary: str) -> Iterator[Event]:
    """The decoder's events. Whatever it raises means the same to a caller: the body is not what it should be."""
    decoder = MultipartDecoder(boundary.encode(), max_parts=MAX_PARTS)
    until = time.monotonic() + LONGEST_UPLOAD.total_seconds()
    try:
        while True:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                if time.monotonic() > until:
                    raise UploadTooLong()
                # An empty read is the end: the decoder then refuses a body that lacks its closing boundary.
                decoder.receive_data(request.stream.read(READ_BYTES) or None)
                if len(decoder.buffer) > 4 * READ_BYTES:
                    raise BadRequest(log="a part's header is too long")
                continue
            yield event
            if isinstance(event, Epilogue):
                return
    except RequestEntityTooLarge as error:
        raise TooLarge(log="body beyond its limit") from error
    except (ValueError, OSError) as error:
        raise BadRequest(log=f"multipart body broke off: {type(error).__name__}") from error


def _parts(events: Iterator[Event]) -> Iterator[Part]:
    for event in events:
        if isinstance(event, File | Field):
            filename = event.filename if isinstance(event, File) else ""
            media_type = parse_options_header(event.headers.get("Content-Type", "application/octet-stream"))[0]
            chunks = _chunks(events)
            yield Part(event.name or "", filename or "", media_type, chunks)
            for _skipped in chunks:
                pass


def _chunks(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            if event.data:
                yield event.data
            if not event.more_data:
                return
