"""Cuts pictures anywhere out of a map's tiles, with the last few decoded tiles kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from onboard.errors import InputError
from onboard.messages import TILE_PX, Picture
from onboard.pack.mbtiles import MBTiles
from onboard.pack.picture_header import check_tile

KEPT_TILES = 128  # decoded tiles, 192 KiB each
OPAQUE = 128  # alpha from which on a pixel counts as imagery


class Imagery:
    """The pixels of an `imagery.mbtiles`. Pixels without imagery are exactly (0, 0, 0),
    imagery is never. For any number of threads; one reads at a time."""

    def __init__(
        self, path: Path, kept_tiles: int = KEPT_TILES, check: Callable[[], None] = lambda: None
    ) -> None:
        """check: see `MBTiles`. Raises InputError as that does."""
        self.tiles = MBTiles(path, of_pack=True, check=check)
        self._kept_tiles = kept_tiles
        self._lock = threading.Lock()  # around what is kept
        self._kept: OrderedDict[tuple[int, int, int], Picture | None] = OrderedDict()

    def picture(
        self, level: int, x: int, y: int, width: int = TILE_PX, height: int = TILE_PX
    ) -> Picture:
        """(height, width, 3) BGR, its upper left corner at map pixel (x, y) of the level.

        Raises InputError when a tile cannot be decoded.
        """
        out = np.zeros((height, width, 3), np.uint8)
        for tile_y in range(y // TILE_PX, (y + height - 1) // TILE_PX + 1):
            for tile_x in range(x // TILE_PX, (x + width - 1) // TILE_PX + 1):
                tile = self._decoded(level, tile_x, tile_y)
                if tile is None:
                    continue
                left, top = tile_x * TILE_PX - x, tile_y * TILE_PX - y
                x0, y0 = max(left, 0), max(top, 0)
                x1, y1 = min(left + TILE_PX, width), min(top + TILE_PX, height)
                out[y0:y1, x0:x1] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _decoded(self, level: int, x: int, y: int) -> Picture | None:
        key = (level, x, y)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        # Not under the lock: who waits for the disk holds up nobody whose tiles are kept.
        tile = self._read(level, x, y)
        with self._lock:
            self._kept[key] = tile
            if len(self._kept) > self._kept_tiles:
                self._kept.popitem(last=False)
        return tile

    def _read(self, level: int, x: int, y: int) -> Picture | None:
        data = self.tiles.tile(level, x, y)
        if data is None:
            return None
        name = f"{self.tiles.path}: {level}/{x}/{y}"
        check_tile(data, name, TILE_PX)
        tile = decode_tile(data, name)
        if tile.shape[:2] != (TILE_PX, TILE_PX):
            raise InputError(f"{name}: its header tells of another size; build the pack again")
        return tile


def decode_tile(data: bytes, name: str) -> Picture:
    """JPEG, PNG or WebP bytes to BGR; transparent pixels become (0, 0, 0), others never are.

    Raises InputError naming the tile.
    """
    try:
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error:  # more pixels than OpenCV takes
        read = None
    if read is None:
        raise InputError(f"{name}: the tile's picture cannot be decoded; get the file again")
    if read.dtype != np.uint8:
        raise InputError(f"{name}: the tile's picture has more than 8 bits; convert it to 8 bits")
    if read.ndim == 2:
        return np.maximum(cv2.cvtColor(read, cv2.COLOR_GRAY2BGR), 1).astype(np.uint8, copy=False)
    if read.shape[2] == 3:
        return np.maximum(read, 1).astype(np.uint8, copy=False)
    opaque = cv2.threshold(read[:, :, 3], OPAQUE - 1, 255, cv2.THRESH_BINARY)[1]
    picture = np.maximum(cv2.cvtColor(read, cv2.COLOR_BGRA2BGR), 1)
    return np.asarray(cv2.copyTo(picture, opaque), np.uint8)
