"""What size a JPEG or PNG says it has, before anything decodes it: a few damaged bytes can ask
for gigabytes."""

from __future__ import annotations

import struct

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
