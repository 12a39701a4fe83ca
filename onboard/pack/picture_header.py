"""What the bytes of a JPEG, PNG or WebP say of the picture before anything decodes it: its
size, and whether its end is there. A decoder would take gigabytes for a picture that claims
them, and shows grey for the half of a JPEG that never came."""

from __future__ import annotations

from onboard.errors import InputError

MAX_TILE_BYTES = 8 << 20  # a 1024-px tile of 16 bits and four bands, not compressed at all
_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATED = {b"acTL", b"fcTL", b"fdAT"}  # APNG; OpenCV decodes it by code of its own
PADDING_BYTES = 64  # that some writers leave behind the end
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 (ITU T.81, B.1)
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in px, None when the bytes are no whole JPEG, PNG or WebP."""
    if data.startswith(_PNG):
        return _png_size(data)
    if data.startswith(b"\xff\xd8"):
        # Some writers pad the end with zeros.
        return _jpeg_size(data) if data.rstrip(b"\0").endswith(b"\xff\xd9") else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data) if len(data) >= 8 + _little(data, 4, 4) else None
    return None


def check_tile(data: bytes, name: str, tile_px: int) -> None:
    """Raises InputError naming the tile: empty or huge, no whole picture, not tile_px square."""
    if len(data) > MAX_TILE_BYTES:
        raise InputError(f"{name}: has {len(data) >> 20} MiB, too much for a map tile")
    size = picture_size(data)
    if size is None:
        raise InputError(f"{name}: is no whole JPEG, PNG or WebP picture; get it again")
    if size != (tile_px, tile_px):
        raise InputError(f"{name}: is {size[0]}x{size[1]} px; {tile_px}x{tile_px} is expected")


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Every chunk lies within the bytes (OpenCV allocates what a chunk says it has), one IHDR is
    the first, and nothing is animated."""
    kinds: list[bytes] = []
    at = len(_PNG)
    while at + 12 <= len(data) and kinds[-1:] != [b"IEND"]:
        kinds.append(data[at + 4 : at + 8])
        at += 12 + _big(data, at, 4)
    whole = (
        kinds[:1] == [b"IHDR"] and kinds[-1] == b"IEND" and at <= len(data) <= at + PADDING_BYTES
    )
    plain = _big(data, 8, 4) == 13 and kinds.count(b"IHDR") == 1 and not _ANIMATED & set(kinds)
    return (_big(data, 16, 4), _big(data, 20, 4)) if whole and plain else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _JPEG_SIZES:
            return _big(data, at + 7, 2), _big(data, at + 5, 2)
        elif marker in _JPEG_BARE:
            at += 2
        else:
            at += 2 + _big(data, at + 2, 2)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """RFC 9649: simple lossy, simple lossless, extended."""
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    return None


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
