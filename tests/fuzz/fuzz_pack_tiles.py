"""Any bytes as a pack's imagery or terrain: a file of tiles, or one tile's picture. Refused in a
sentence, or pixels of the size that a tile has, within bounds of time and memory.

An input's first byte chooses: a file, a file as an input of a build, a picture, a terrain tile, and
both again as PNGs whose checksums are right.
"""

from __future__ import annotations

import resource
import struct
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from fuzz_runner import fuzz

from maps.pixels import encode_tile
from onboard.errors import InputError
from onboard.messages import TILE_PX
from onboard.pack.imagery import Imagery, decode_tile
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from onboard.pack.picture_header import check_tile
from onboard.pack.terrain import Terrain, decode_heights, encode_heights

LEVEL, X, Y = 9, 266, 179  # the file's corner
FOLDER = Path(tempfile.mkdtemp())
MOST_MORE_BYTES = 400 << 20  # that any input may make the process grow by
PNG = b"\x89PNG\r\n\x1a\n"
TOKENS = (
    *(b"SQLite format 3\0", b"\x0d\0\0\0\x01", b"\x05\0\0\0\x02", b"\x02\0\0\0\x01", b"\x0a\0\0\0"),
    *(b"CREATE VIEW tiles AS SELECT", b"CREATE TRIGGER", b"UNION ALL", b"\xff" * 9),
    *(b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"eXIf"),
    *(b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xd9", b"\xff\xc4", b"VP8X"),
    *(b"\0\0\1\0", b"\1\0\1\0", b"\xff\xff\xff\x7f", b"RIFF", b"WEBP", b"ANIM", b"ANMF"),
)


def target(data: bytes) -> None:
    kind, rest = (data[0] % 6 if data else 0), data[1:]
    path = FOLDER / "fuzz.mbtiles"
    try:
        if kind <= 1:
            path.write_bytes(rest)
            _use_file(path) if kind == 0 else _use_input(path)
        else:
            picture = _with_checksums(rest) if kind >= 4 else rest
            _use_picture(picture) if kind % 2 == 0 else _use_heights(picture)
    except InputError as e:
        assert str(e).isprintable(), e
    assert _peak_bytes() < START_BYTES + MOST_MORE_BYTES, "memory"


def _use_file(path: Path) -> None:
    imagery = Imagery(path)
    try:
        for level in imagery.tiles.levels[:4]:
            for x, y in imagery.tiles.positions(level)[:4]:
                assert imagery.picture(level, x * TILE_PX, y * TILE_PX).shape == (256, 256, 3)
    finally:
        imagery.tiles.close()
    terrain = Terrain(path, LEVEL, 1.0)
    try:
        heights = terrain.heights_m(np.array([47.0, 47.01]), np.array([7.4, 7.41]))
        assert not np.isinf(heights).any()
    finally:
        terrain._tiles.close()


def _use_input(path: Path) -> None:
    tiles = MBTiles(path)
    try:
        tiles.metadata()
        for level in tiles.levels[:4]:
            for x, y in tiles.positions(level)[:4]:
                tiles.tile(level, x, y)
    finally:
        tiles.close()


def _use_picture(data: bytes) -> None:
    check_tile(data, "t", TILE_PX)
    picture = decode_tile(data, "t")
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert picture.size <= 4 * TILE_PX * TILE_PX * 3


def _use_heights(data: bytes) -> None:
    heights = decode_heights(data, "t")
    assert heights.shape == (TILE_PX, TILE_PX) and not np.isinf(heights).any()


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks end where they say and whose checksums are right."""
    out, at = bytearray(PNG), len(PNG)
    while at + 8 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 8)
        body = data[at + 4 : at + 8 + length]
        out += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += length + 12
    return bytes(out)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def samples() -> list[bytes]:
    rng = np.random.default_rng(1)
    noise = cv2.resize(rng.integers(1, 255, (9, 9, 3), np.uint8), (256, 256))
    holes = noise.copy()
    holes[:90] = 0
    heights = encode_heights(np.linspace(0, 900, 65_536).reshape(256, 256))
    whole, part = encode_tile(noise), encode_tile(holes)
    assert whole is not None and part is not None and heights is not None
    webp = bytes(cv2.imencode(".webp", noise, [cv2.IMWRITE_WEBP_QUALITY, 50])[1])
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 30]
    scans = bytes(cv2.imencode(".jpg", noise, progressive)[1])
    files = []
    for pictures in ([whole, part], [heights]):
        path = FOLDER / f"{len(pictures)}.mbtiles"
        writer = MBTilesWriter(path)
        for n, data in enumerate(pictures):
            writer.put(LEVEL, X + n, Y, data)
        writer.set_metadata({"name": "n", "format": "jpg"})
        writer.commit()
        writer.close()
        files.append(path.read_bytes())
    return [
        *(bytes([kind]) + data for kind in (0, 1) for data in files),
        *(b"\2" + data for data in (whole, part, webp, scans)),
        b"\3" + heights,
        b"\4" + part,
        b"\5" + heights,
    ]


if __name__ == "__main__":
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    given = samples()
    START_BYTES = _peak_bytes()
    sys.exit(fuzz(target, given, TOKENS))
