"""Ground with slopes for a study of terrain: an even slope, hills, or a real elevation model laid
where the imagery is; and the terrain file that an aircraft would carry of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.sources.source import WORLD_M
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.terrain import Terrain, encode_heights
from tools.sim.scenes.ground import Ground, Layer, dem_bounds_m, read_terrain

Bounds = tuple[float, float, float, float]  # south, west, north, east in degrees
BASE_AMSL_M = 500.0
HILL_M, HILL_LENGTH_M = 60.0, 300.0  # height from dale to top, and from top to top


class Shaped:
    """A `Ground` that rises by `slope` to the east, with hills if wanted, around a middle."""

    def __init__(self, bounds: Bounds, slope: float, hill_m: float) -> None:
        south, west, north, east = bounds
        self._middle = (south + north) / 2, (west + east) / 2
        self._slope, self._hill_m = slope, hill_m
        level = 20
        corners = latlon_to_pixel(np.array([south, north]), np.array([west, east]), level)
        x, y = np.meshgrid(*(np.linspace(side[0], side[1], 200) for side in corners))
        heights = self.heights(level, x, y)
        self.lowest_m, self.highest_m = float(heights.min()), float(heights.max())

    def heights(self, level: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Layer:
        x0, y0 = latlon_to_pixel(*self._middle, level)
        east_px_m, north_px_m = pixel_size_m(self._middle[0], level)
        east, north = (x - x0) * east_px_m, (y0 - y) * north_px_m
        turn = 2 * math.pi / HILL_LENGTH_M
        hills = 0.5 * self._hill_m * np.sin(turn * east) * np.sin(turn * north)
        return np.asarray(BASE_AMSL_M + self._slope * east + hills, np.float32)


class Laid:
    """A `Ground` whose place lies elsewhere, metre for metre."""

    def __init__(
        self, ground: Ground, from_place: tuple[float, float], to_place: tuple[float, float]
    ) -> None:
        self._ground, self._from, self._to = ground, from_place, to_place
        self.lowest_m, self.highest_m = ground.lowest_m, ground.highest_m

    def heights(self, level: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Layer:
        x_to, y_to = latlon_to_pixel(*self._to, level)
        x_from, y_from = latlon_to_pixel(*self._from, level)
        there, here = pixel_size_m(self._from[0], level), pixel_size_m(self._to[0], level)
        return self._ground.heights(
            level,
            x_from + (x - x_to) * (here[0] / there[0]),
            y_from + (y - y_to) * (here[1] / there[1]),
        )


def laid_dem(path: Path, bounds: Bounds) -> Laid:
    """The middle of an elevation model under the middle of the imagery, as large as that.

    Raises InputError as `read_terrain` does."""
    west_m, south_m, east_m, north_m = dem_bounds_m(path)
    x_m, y_m = (west_m + east_m) / 2, (south_m + north_m) / 2
    px = TILE_PX / WORLD_M
    lat, lon = pixel_to_latlon((x_m + WORLD_M / 2) * px, (WORLD_M / 2 - y_m) * px, 0)
    middle = float(lat), float(lon)
    south, west, north, east = bounds
    place = (south + north) / 2, (west + east) / 2
    x, y = latlon_to_pixel(np.array([south, north]), np.array([west, east]), 0)
    scale = pixel_size_m(place[0], 0)[0] / pixel_size_m(middle[0], 0)[0] / px
    half_x_m, half_y_m = (abs(float(side[1] - side[0])) / 2 * scale for side in (x, y))
    part = (x_m - half_x_m, y_m - half_y_m, x_m + half_x_m, y_m + half_y_m)
    return Laid(read_terrain(path, part), middle, place)


def ground_named(name: str, bounds: Bounds) -> Ground:
    """'slope 0.2', 'hills' or an elevation model's path. Raises InputError."""
    words = name.split()
    if words[:1] == ["slope"] and len(words) == 2:
        try:
            return Shaped(bounds, float(words[1]), 0.0)
        except ValueError:
            raise InputError(f"{name}: not a slope; give one as 'slope 0.2'") from None
    if words == ["hills"]:
        return Shaped(bounds, 0.0, HILL_M)
    return laid_dem(Path(name), bounds)


def write_terrain(path: Path, ground: Ground, bounds: Bounds, level: int) -> Terrain:
    """The whole tiles of a level that touch the bounds, opened, with an error of 0.5 m."""
    south, west, north, east = bounds
    x, y = latlon_to_pixel(np.array([north, south]), np.array([west, east]), level)
    writer = MBTilesWriter(path)
    for ty in range(int(y[0]) // TILE_PX, int(y[1]) // TILE_PX + 1):
        for tx in range(int(x[0]) // TILE_PX, int(x[1]) // TILE_PX + 1):
            pixels = np.meshgrid(*(TILE_PX * t + 0.5 + np.arange(TILE_PX) for t in (tx, ty)))
            data = encode_heights(ground.heights(level, *pixels))
            if data is not None:
                writer.put(level, tx, ty, data)
    writer.commit()
    writer.close()
    return Terrain(path, level, 0.5)
