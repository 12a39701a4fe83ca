"""The shards of an index that are in memory: those nearest to a place, within a limit of bytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import TILE_STRIDE_PX
from onboard.pack.index_shard import OpenShard
from onboard.pack.pack_manifest import Shard
from onboard.pack.tile_index import CELL_STEPS


class KeptShards:
    """Not for several threads at once. size_bytes: of what is kept now."""

    def __init__(self, shards: tuple[Shard, ...], memory_bytes: int) -> None:
        """shards: all that may come."""
        self.size_bytes = 0
        self._memory_bytes = memory_bytes
        self._number = {shard: n for n, shard in enumerate(shards)}
        self._corners = np.array([_corners(s) for s in shards]).T
        self._distances = np.zeros(len(shards))
        self._kept: dict[Shard, OpenShard] = {}

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._kept)

    def get(self, shard: Shard) -> OpenShard | None:
        return self._kept.get(shard)

    def move_to(self, lat_deg: float, lon_deg: float) -> NDArray[np.float64]:
        """What counts from now on is the distance from here. Gives it in metres, (shards,), 0
        within a shard's cell."""
        x, y = latlon_to_pixel(lat_deg, lon_deg, 0)
        west, north, east, south = self._corners
        aside = np.maximum(np.maximum(west - x, x - east), 0.0)
        along = np.maximum(np.maximum(north - y, y - south), 0.0)
        self._distances = np.hypot(aside, along) * pixel_size_m(lat_deg, 0)[0]
        return self._distances

    def nearest_first(self) -> list[int]:
        """Numbers of all shards."""
        return [int(n) for n in np.argsort(self._distances, kind="stable")]

    def add(self, opened: OpenShard) -> None:
        """Where there is no room, farther shards make way, or it isn't kept."""
        if opened.shard in self._kept:
            return
        room, leaving = self._memory_bytes - self.size_bytes, []
        if room < opened.size_bytes:
            mine = self._distance(opened.shard)
            farther = [s for s in self._kept if self._distance(s) > mine]
            for other in sorted(farther, key=self._distance, reverse=True):
                if room >= opened.size_bytes:
                    break
                room += self._kept[other].size_bytes
                leaving.append(other)
        if room < opened.size_bytes:
            return
        for other in leaving:
            self.size_bytes -= self._kept.pop(other).size_bytes
        self._kept[opened.shard] = opened
        self.size_bytes += opened.size_bytes

    def _distance(self, shard: Shard) -> float:
        return float(self._distances[self._number[shard]])


def _corners(shard: Shard) -> tuple[float, float, float, float]:
    """West, north, east, south of a shard's cell in pixels of level 0."""
    side = CELL_STEPS * TILE_STRIDE_PX / 2.0**shard.level
    x, y = shard.cell_col * side, shard.cell_row * side
    return x, y, x + side, y + side
