"""Pictures for tests, made of nothing but the standard library."""

import struct
import zlib
from collections.abc import Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def a_png(
    width: int = 64,
    height: int = 64,
    colour: bytes = b"\x12\x46\x6b",
    *,
    interlaced: bool = False,
    more: Sequence[bytes] = (),
    pixels: bytes | None = None,
) -> bytes:
    """A square of one colour. more: further chunks; pixels: what is packed in place of the square."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlaced))
    lines = (b"\0" + colour * width) * height if pixels is None else pixels
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND")
