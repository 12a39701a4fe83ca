"""The ground's height from a pack's `terrain.mbtiles`: terrain-RGB tiles of one level.

Encoding (Mapbox Terrain-RGB v1): height = -10000 + (R * 65536 + G * 256 + B) * 0.1 m; a
transparent pixel has no height. Heights are above mean sea level (EGM96), as autopilots
count; a tile's pixel holds the height at its centre.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX, Floats
from onboard.pack.mbtiles import MBTiles
from onboard.pack.picture_header import check_tile

LOWEST_M, STEP_M = -10_000.0, 0.1
KEPT_TILES = 64  # decoded, 256 KiB each
RETRY_S = 10.0  # a card takes about a second to say that it can't read; every frame would wait
MAX_WINDOW_PX = 1 << 16  # cut out of the tiles in one piece, which costs less than point by point

Heights = NDArray[np.float32]  # (256, 256) metres above mean sea level, NaN where unknown


def encode_heights(heights_m: NDArray[np.floating]) -> bytes | None:
    """(256, 256), NaN where unknown, to a PNG; None when nothing is known."""
    known = np.isfinite(heights_m)
    if not known.any():
        return None
    steps = np.where(known, np.round((heights_m - LOWEST_M) / STEP_M), 0).astype(np.int64)
    steps = np.clip(steps, 0, (1 << 24) - 1)
    channels = (steps & 255, steps >> 8 & 255, steps >> 16, known * 255)
    _, data = cv2.imencode(".png", np.stack(channels, 2).astype(np.uint8))
    return bytes(data)


def decode_heights(data: bytes, name: str) -> Heights:
    """What `encode_heights` wrote. Raises InputError naming the tile."""
    check_tile(data, name, TILE_PX)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if read is None or read.shape != (TILE_PX, TILE_PX, 4) or read.dtype != np.uint8:
        raise InputError(f"{name}: not a terrain-RGB tile of {TILE_PX} px; build the pack again")
    b, g, r, alpha = (read[:, :, i].astype(np.float64) for i in range(4))
    heights = LOWEST_M + (r * 65536 + g * 256 + b) * STEP_M
    return np.where(alpha > 0, heights, np.nan).astype(np.float32)


class Terrain:
    """Not for several threads at once."""

    def __init__(
        self, path: Path, level: int, sigma_m: float, check: Callable[[], None] = lambda: None
    ) -> None:
        """sigma_m: error of a height, 1 sigma. check: see `MBTiles`. Raises InputError as that
        does."""
        self.level, self.sigma_m = level, sigma_m
        self._tiles = MBTiles(path, of_pack=True, check=check)
        self._kept: OrderedDict[tuple[int, int], Heights | None] = OrderedDict()
        self._tell: Callable[[str], None] | None = None
        self._failed: dict[tuple[int, int], tuple[float, str]] = {}  # when, and why

    def with_gaps(self, tell: Callable[[str], None]) -> Terrain:
        """The same, for a flight: a tile that can't be read is unknown ground, and tell gets the
        sentence whenever such a tile is asked for; it is tried again after RETRY_S. InputError is
        not raised any more."""
        other = copy(self)
        other._tell, other._failed = tell, {}
        return other

    def heights_m(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        """Heights above mean sea level at positions of any shape, bilinear between pixel
        centres; NaN where a pixel around is unknown. Raises InputError: a damaged tile."""
        x, y = latlon_to_pixel(lat_deg, lon_deg, self.level)
        return self.heights_at_m(np.asarray(x), np.asarray(y))

    def heights_at_m(self, x: Floats, y: Floats) -> Floats:
        """The same at map pixels of the terrain's level."""
        x, y = x - 0.5, y - 0.5
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        u, v = x - x0, y - y0
        north_west, north_east, south_west, south_east = self._corners(x0, y0)
        north = north_west * (1 - u) + north_east * u
        south = south_west * (1 - u) + south_east * u
        return np.asarray(north * (1 - v) + south * v, np.float64)

    def height_m(self, lat_deg: float, lon_deg: float) -> float | None:
        """The height of one position, None where unknown."""
        height_m = float(self.heights_m(np.array(lat_deg), np.array(lon_deg)))
        return None if np.isnan(height_m) else height_m

    def _corners(
        self, x: NDArray[np.int64], y: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """The pixel, and those to the east, south and south-east of it."""
        left, top = int(x.min()), int(y.min())
        width, height = int(x.max()) - left + 2, int(y.max()) - top + 2
        if width * height > MAX_WINDOW_PX:  # points far apart: one by one
            one = np.int64(1)
            return (
                self._at(x, y),
                self._at(x + one, y),
                self._at(x, y + one),
                self._at(x + one, y + one),
            )
        window = self._window(left, top, width, height).ravel()
        at = (y - top) * width + (x - left)
        return window[at], window[at + 1], window[at + width], window[at + width + 1]

    def _window(self, left: int, top: int, width: int, height: int) -> Floats:
        """(height, width) pixels from pixel (left, top) on."""
        out = np.full((height, width), np.nan)
        for ty in range(top // TILE_PX, (top + height - 1) // TILE_PX + 1):
            for tx in range(left // TILE_PX, (left + width - 1) // TILE_PX + 1):
                tile = self._decoded(tx, ty)
                if tile is None:
                    continue
                x0, y0 = max(left, tx * TILE_PX), max(top, ty * TILE_PX)
                x1 = min(left + width, (tx + 1) * TILE_PX)
                y1 = min(top + height, (ty + 1) * TILE_PX)
                rows = slice(y0 - ty * TILE_PX, y1 - ty * TILE_PX)
                columns = slice(x0 - tx * TILE_PX, x1 - tx * TILE_PX)
                out[y0 - top : y1 - top, x0 - left : x1 - left] = tile[rows, columns]
        return out

    def _at(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> Floats:
        out = np.full(x.shape, np.nan)
        tile_x, tile_y = x // TILE_PX, y // TILE_PX
        for tx, ty in {*zip(tile_x.ravel().tolist(), tile_y.ravel().tolist(), strict=True)}:
            tile = self._decoded(tx, ty)
            if tile is not None:
                here = (tile_x == tx) & (tile_y == ty)
                out[here] = tile[y[here] - ty * TILE_PX, x[here] - tx * TILE_PX]
        return out

    def _decoded(self, x: int, y: int) -> Heights | None:
        if (x, y) in self._kept:
            self._kept.move_to_end((x, y))
            return self._kept[(x, y)]
        heights = self._read(x, y) if self._tell is None else self._read_or_tell(x, y, self._tell)
        if (x, y) not in self._failed:
            self._kept[(x, y)] = heights
            while len(self._kept) > KEPT_TILES:
                self._kept.popitem(last=False)
        return heights

    def _read_or_tell(self, x: int, y: int, tell: Callable[[str], None]) -> Heights | None:
        failed_s, problem = self._failed.pop((x, y), (-math.inf, ""))
        if time.monotonic() - failed_s >= RETRY_S:
            try:
                return self._read(x, y)
            except InputError as e:
                failed_s, problem = time.monotonic(), str(e)
        self._failed[(x, y)] = failed_s, problem
        tell(problem)
        return None

    def _read(self, x: int, y: int) -> Heights | None:
        data = self._tiles.tile(self.level, x, y)
        name = f"{self._tiles.path}: {self.level}/{x}/{y}"
        return None if data is None else decode_heights(data, name)
