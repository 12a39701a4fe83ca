"""Which part of the world a zoom's tiles reach over, and how much of it they fill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maps.sources.source import WORLD_M


@dataclass(frozen=True)
class TileExtent:
    """Of count XYZ tiles of a zoom, first one of them: x0 <= x < x1, y0 <= y < y1."""

    zoom: int
    first: tuple[int, int]
    count: int
    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """West, south, east, north in EPSG:3857."""
        side_m, half = WORLD_M / 2**self.zoom, WORLD_M / 2
        west, north = self.x0 * side_m - half, half - self.y0 * side_m
        return west, half - self.y1 * side_m, self.x1 * side_m - half, north

    @property
    def fill(self) -> float:
        """Share of the tiles between that there are."""
        return self.count / ((self.x1 - self.x0) * (self.y1 - self.y0))


def extent_of(zoom: int, blocks: Iterable[NDArray[np.int64]]) -> TileExtent:
    """blocks: (N, 2) tiles (x, y) each, at least one in all."""
    count, first = 0, (0, 0)
    low, high = np.full(2, 1 << 62), np.full(2, -1)
    for block in blocks:
        if count == 0:
            first = int(block[0, 0]), int(block[0, 1])
        count += len(block)
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    return TileExtent(zoom, first, count, *map(int, (*low, *(high + 1))))
