"""The places of a map: the middle squares of its half-step tiles, which together pave it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onboard.geodesy import latlon_to_pixel, pixel_to_latlon
from onboard.messages import TILE_STRIDE_PX, TileId
from onboard.pack.map_pack import MapPack
from onboard.pack.mbtiles import MBTiles
from onboard.pack.pack_manifest import IMAGERY_NAME


@dataclass(frozen=True, order=True)
class Place:
    """A square of 128 map pixels, whatever part of a view's centre falls into it; (row, col)
    are those of the half-step tile around it. Ordered by row, then column."""

    row: int
    col: int
    level: int

    @property
    def tile(self) -> TileId:
        return TileId(self.level, self.col, self.row)

    @property
    def centre_px(self) -> tuple[int, int]:
        """Map pixel (x, y)."""
        return self.tile.centre_px

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(south, west, north, east) in degrees."""
        x, y = self.centre_px
        half = TILE_STRIDE_PX / 2
        north, west = pixel_to_latlon(x - half, y - half, self.level)
        south, east = pixel_to_latlon(x + half, y + half, self.level)
        return float(south), float(west), float(north), float(east)

    @property
    def centre(self) -> tuple[float, float]:
        """(lat_deg, lon_deg)."""
        lat, lon = pixel_to_latlon(*self.centre_px, self.level)
        return float(lat), float(lon)


def place_at(lat_deg: float, lon_deg: float, level: int) -> Place:
    """The place that a position lies in."""
    x, y = latlon_to_pixel(lat_deg, lon_deg, level)
    half = TILE_STRIDE_PX / 2
    col = math.floor((float(x) - half) / TILE_STRIDE_PX)
    row = math.floor((float(y) - half) / TILE_STRIDE_PX)
    return Place(row, col, level)


def places_of(pack: MapPack, level: int) -> list[Place]:
    """All places that touch imagery of the level, in their order."""
    found: set[Place] = set()
    for x, y in MBTiles(pack.path / IMAGERY_NAME).positions(level):
        for row in range(2 * y - 1, 2 * y + 2):
            for col in range(2 * x - 1, 2 * x + 2):
                found.add(Place(row, col, level))
    return sorted(p for p in found if p.row >= 0 and p.col >= 0)


def sampled(places: Sequence[Place], most: int) -> list[Place]:
    """At most `most` of the places, on a lattice as even as their area allows; all of them
    where they are few."""
    if len(places) <= most:
        return list(places)
    # Rows and columns may be thinned differently: square lattices alone jump from all to a quarter.
    least = len(places) / most
    steps = sorted(
        (row * col, abs(row - col), row, col)
        for row in range(1, math.ceil(2 * math.sqrt(least)) + 2)
        for col in range(1, math.ceil(2 * math.sqrt(least)) + 2)
        if row * col >= 0.75 * least
    )
    for _, _, row, col in steps:
        # Odd rows are shifted by half a step, so that no narrow thing lies between all samples.
        chosen = [
            p
            for p in places
            if p.row % row == 0 and (p.col + (col // 2) * (p.row // row % 2)) % col == 0
        ]
        if 0 < len(chosen) <= most:
            return chosen
    return list(places[:: math.ceil(least)])


def near(places: Iterable[Place], wanted: set[Place], steps: int) -> list[Place]:
    """Those places that lie within so many steps of a wanted one."""
    around = {
        (p.row + i, p.col + j)
        for p in wanted
        for i in range(-steps, steps + 1)
        for j in range(-steps, steps + 1)
    }
    return [p for p in places if (p.row, p.col) in around]
