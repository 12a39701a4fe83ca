"""The pack's own tiles for the page: as they are stored, and joined for levels above them.

Opens the imagery a second time: the navigator's own connection is used by the flight alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from onboard.messages import TILE_PX, Picture
from onboard.pack.imagery import Imagery
from onboard.web.picture_pair import jpeg

OVERVIEW_LEVELS = 3  # above the coarsest stored level; one such tile decodes 64 stored ones
KEPT_OVERVIEWS = 256  # JPEG files of some 15 KiB
DECODED_TILES = 16
CLOSE_S = 1.0  # the end of a flight must not hang on the page


class MapTiles:
    """For any number of threads; one reads at a time."""

    def __init__(self, imagery: Path) -> None:
        """Raises InputError as `mbtiles.MBTiles` does."""
        self._imagery = Imagery(imagery, kept_tiles=DECODED_TILES)
        self._stored = self._imagery.tiles.levels
        self._lock = threading.Lock()
        self._overviews: OrderedDict[tuple[int, int, int], bytes | None] = OrderedDict()

    @property
    def lowest_level(self) -> int:
        return max(0, min(self._stored) - OVERVIEW_LEVELS)

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        """An encoded picture of 256 x 256, None where there is no imagery.

        Raises InputError: the imagery is damaged.
        """
        side = 1 << level if level <= max(self._stored) else 0
        if not (0 <= x < side and 0 <= y < side and level >= self.lowest_level):
            return None
        with self._lock:
            if level >= min(self._stored):
                return self._imagery.tiles.tile(level, x, y)
            return self._overview(level, x, y)

    def picture(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        """As `imagery.Imagery.picture`."""
        with self._lock:
            return self._imagery.picture(level, x, y, width, height)

    def _overview(self, level: int, x: int, y: int) -> bytes | None:
        key = (level, x, y)
        if key not in self._overviews:
            picture = self._joined(level, x, y)
            self._overviews[key] = None if picture is None else jpeg(picture)
            if len(self._overviews) > KEPT_OVERVIEWS:
                self._overviews.popitem(last=False)
        return self._overviews[key]

    def _joined(self, level: int, x: int, y: int) -> Picture | None:
        """Shrunk from the coarsest stored tiles below."""
        finer = min(self._stored) - level
        side = 1 << finer
        out = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        part = TILE_PX // side
        for row in range(side):
            for col in range(side):
                left, top = (x * side + col) * TILE_PX, (y * side + row) * TILE_PX
                tile = self._imagery.picture(min(self._stored), left, top)
                out[row * part : (row + 1) * part, col * part : (col + 1) * part] = cv2.resize(
                    tile, (part, part), interpolation=cv2.INTER_AREA
                )
        return out if out.any() else None

    def close(self) -> None:
        """A disk that hangs is not waited for: its reader keeps the file."""
        if self._lock.acquire(timeout=CLOSE_S):
            self._imagery.tiles.close()
            self._lock.release()


def media_type(data: bytes) -> str:
    """Of a tile as it is stored."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"RIFF"):
        return "image/webp"
    return "image/jpeg"
