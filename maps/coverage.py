"""How much of an asked area the inputs reach: a map with holes must not come as a surprise."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from shapely import contains_xy
from shapely.geometry.base import BaseGeometry

from maps.plan import COMMON_CAMERA, lowest_usable_agl_m
from maps.sources.source import WORLD_M, Source
from maps.terrain import Dem
from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX
from onboard.pack.mbtiles import MBTiles

SIDE_POINTS = 40  # of the grid over the area at which is looked
MOST_HEIGHTS = 150  # looked up among them
ALL = 0.995  # below, something is said


def coverage_notes(area: BaseGeometry, sources: Sequence[Source], dem: Dem | None) -> list[str]:
    """A sentence for each kind of input that leaves some of the area (WGS84 longitude,
    latitude) out. Raises InputError: a damaged elevation model."""
    lon, lat = _points(area)
    notes = []
    x_px, y_px = latlon_to_pixel(lat, lon, 0)
    x_m, y_m = (x_px / TILE_PX - 0.5) * WORLD_M, (0.5 - y_px / TILE_PX) * WORLD_M
    within = np.zeros(lon.shape, bool)
    for source in sources:
        west, south, east, north = source.bounds_m
        within |= (x_m >= west) & (x_m <= east) & (y_m >= south) & (y_m <= north)
    notes += _imagery_note("the imagery", within)
    if dem is not None:
        some = slice(None, None, math.ceil(len(lon) / MOST_HEIGHTS))
        share = float(np.isfinite(dem.heights_at_m(lat[some], lon[some])).mean())
        if share < ALL:
            notes.append(
                f"note: the elevation models know {share:.0%} of the area's ground; over the rest "
                "the flight has no terrain"
            )
    return notes


def tile_notes(area: BaseGeometry, tiles: Sequence[tuple[int, int]], level: int) -> list[str]:
    """The same of the tiles (x, y) of a level that a pack has."""
    lon, lat = _points(area)
    x_px, y_px = latlon_to_pixel(lat, lon, level)
    held = set(tiles)
    places = zip((x_px // TILE_PX).tolist(), (y_px // TILE_PX).tolist(), strict=True)
    return _imagery_note("the pack's imagery", np.array([place in held for place in places]))


def say_what_is_missing(imagery: Path, area: BaseGeometry, level: int) -> None:
    """`tile_notes` of a pack's imagery, for the person. Raises InputError: a damaged file."""
    tiles = MBTiles(imagery)
    try:
        notes = tile_notes(area, tiles.positions(level), level)
    finally:
        tiles.close()
    for note in notes:
        print(note, file=sys.stderr)


def _imagery_note(what: str, within: np.ndarray) -> list[str]:
    share = float(within.mean())
    if share >= ALL:
        return []
    return [f"note: {what} reaches {share:.0%} of the area; the rest has no map"]


def height_notes(
    level: int, agl_m: tuple[float, float] | None, camera: Camera | None, lat_deg: float
) -> list[str]:
    """A sentence where the map's finest level is too coarse for the lowest height."""
    lowest_m = lowest_usable_agl_m(level, camera or COMMON_CAMERA, lat_deg)
    if agl_m is None or lowest_m <= agl_m[0]:
        return []
    return [
        f"note: below {lowest_m:.0f} m above ground the camera sees too little of a tile of level "
        f"{level}, the map's finest; finer imagery would serve it there"
    ]


def _points(area: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes spread over the area; its inner point at least."""
    west, south, east, north = area.bounds
    steps = (np.arange(SIDE_POINTS) + 0.5) / SIDE_POINTS
    lon, lat = np.meshgrid(west + (east - west) * steps, south + (north - south) * steps)
    inside = contains_xy(area, lon, lat)
    if not inside.any():
        point = area.representative_point()
        return np.array([point.x]), np.array([point.y])
    return lon[inside], lat[inside]
