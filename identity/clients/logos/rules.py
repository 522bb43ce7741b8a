"""Rules of applications' pictures: PNG (ISO/IEC 15948), small, and nothing in them but pixels."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from kernel.base.errors import Invalid, _

MAX_BYTES = 200_000
SMALLEST, LARGEST = 32, 1024
SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""The chunks that pixels are made of. Every other one, such as text and profiles, is left out."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def clean_png(content: bytes) -> bytes:
    """The picture without all that is no pixel. Raises Invalid for what is no such picture, in whole or in part."""
    if len(content) > MAX_BYTES:
        raise _wrong(_("At most 200 kilobytes."))
    chunks = [(kind, data) for kind, data in _chunks(content) if kind in KEPT]
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise _wrong(_("This is not a whole PNG picture."))
    parts = {kind: b"".join(data for one, data in chunks if one == kind) for kind in KEPT}
    _check_pixels(parts[b"IDAT"], *_checked_header(parts[b"IHDR"], has_palette=bool(parts[b"PLTE"])))
    return SIGNATURE + b"".join(_written(kind, data) for kind, data in parts.items() if data or kind == b"IEND")


def from_base64(text: str) -> bytes:
    """Decode a picture that a program sends in JSON. Raises Invalid."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid(fields={"png": [_("This is not base64.")]}) from None


def name_of(content: bytes) -> str:
    """The name under which a picture is found: its SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(SIGNATURE):
        raise _wrong(_("A PNG picture. Others are not accepted."))
    at = len(SIGNATURE)
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if content[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(kind + data)):
            raise _wrong(_("This is not a whole PNG picture."))
        yield kind, data
        at += 12 + length
        if kind == b"IEND":
            return


def _checked_header(header: bytes, *, has_palette: bool) -> tuple[int, int]:
    """The height, and the bytes of each line with the one that names its filter."""
    if len(header) != 13:
        raise _wrong(_("This is not a whole PNG picture."))
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise _wrong(_("From 32 to 1024 pixels each way."))
    if depth not in DEPTHS.get(colour, ()) or compression or filtering or (colour == 3 and not has_palette):
        raise _wrong(_("This is not a whole PNG picture."))
    if interlace:
        raise _wrong(_("Save it without interlacing."))
    return height, 1 + (width * CHANNELS[colour] * depth + 7) // 8


def _check_pixels(packed: bytes, height: int, line: int) -> None:
    """Unpacked with a limit: a few bytes may stand for gigabytes."""
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(packed, height * line + 1)
    except zlib.error:
        pixels = b""
    if len(pixels) != height * line or not unpacker.eof or max(pixels[::line]) > 4:
        raise _wrong(_("This is not a whole PNG picture."))


def _written(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _wrong(message: Any) -> Invalid:
    return Invalid(fields={"logo": [message]})
