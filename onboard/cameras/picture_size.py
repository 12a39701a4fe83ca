"""What a JPEG or PNG says of itself before anything decodes it: how large it is, and whether it
is whole. A few damaged bytes can ask a decoder for gigabytes, or for a minute."""

from __future__ import annotations

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
# JPEG markers (ITU-T T.81, table B.1): starts of frame, and those without a length.
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def declared_size_px(data: bytes) -> tuple[int, int] | None:
    """(width, height); None for neither of the two, or where the header is damaged."""
    try:
        if data.startswith(PNG):
            width, height = struct.unpack_from(">II", data, 16)
            return (width, height) if data[12:16] == b"IHDR" else None
        return _jpeg_size_px(data) if data.startswith(JPEG) else None
    except (struct.error, IndexError):
        return None


def is_whole(data: bytes) -> bool:
    """JPEG: an end of image after the last start of scan (a thumbnail has both of its own).
    PNG: every chunk as long as it says and with its checksum, up to IEND (ISO/IEC 15948)."""
    if data.startswith(JPEG):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    return data.startswith(PNG) and _png_is_whole(data)


def _png_is_whole(data: bytes) -> bool:
    view, at = memoryview(data), len(PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            return False
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at = end
    return False


def _jpeg_size_px(data: bytes) -> tuple[int, int] | None:
    at = len(JPEG)
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _STARTS_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
