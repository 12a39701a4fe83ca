"""The imagery of several sources laid over one another, block by block, the last ones kept."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from maps.pixels import blank_fill, mask_of
from maps.sources.source import WORLD_M, Source
from onboard.messages import TILE_PX, Picture

BLOCK_PX = 512
KEPT_BLOCKS = 96  # 0.8 MB each


class Blocks:
    """Pixels without imagery are (0, 0, 0), as everywhere."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """The later lie on top."""
        self._sources = sources
        self.native_level = math.ceil(max(s.native_level for s in sources) - 0.25)
        self.bounds_m = (
            min(s.bounds_m[0] for s in sources),
            min(s.bounds_m[1] for s in sources),
            max(s.bounds_m[2] for s in sources),
            max(s.bounds_m[3] for s in sources),
        )
        self._kept: OrderedDict[tuple[int, int, int], Picture | None] = OrderedDict()

    def window(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        """(height, width, 3) with its upper left corner at map pixel (x, y)."""
        out = np.zeros((height, width, 3), np.uint8)
        for row in range(y // BLOCK_PX, (y + height - 1) // BLOCK_PX + 1):
            for col in range(x // BLOCK_PX, (x + width - 1) // BLOCK_PX + 1):
                block = self._block(level, col, row)
                if block is None:
                    continue
                left, top = col * BLOCK_PX - x, row * BLOCK_PX - y
                x0, y0 = max(left, 0), max(top, 0)
                x1, y1 = min(left + BLOCK_PX, width), min(top + BLOCK_PX, height)
                out[y0:y1, x0:x1] = block[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _block(self, level: int, col: int, row: int) -> Picture | None:
        key = (level, col, row)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        laid: Picture | None = None
        for source in self._sources:
            if not _touches(source, level, col, row):
                continue
            read = source.read(level, col * BLOCK_PX, row * BLOCK_PX, BLOCK_PX, BLOCK_PX)
            picture = blank_fill(read)
            if laid is None:
                laid = picture
            else:
                np.copyto(laid, picture, where=mask_of(picture)[:, :, None])
        self._kept[key] = laid
        if len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return laid


def _touches(source: Source, level: int, col: int, row: int) -> bool:
    west, south, east, north = source.bounds_m
    side_m, half = WORLD_M / (TILE_PX * 2**level) * BLOCK_PX, WORLD_M / 2
    return bool(
        west < (col + 1) * side_m - half
        and east > col * side_m - half
        and north > half - (row + 1) * side_m
        and south < half - row * side_m
    )
