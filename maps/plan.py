"""What a build will make: the levels, and the finest level's tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.prepared import prep

from maps.source import WORLD_M, Source
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX

COARSEST_LEVEL, FINEST_LEVEL = 8, 24  # 600 m/px to 1 cm/px at the equator
DEFAULT_LEVEL_COUNT = 3
# A level may be finer than the imagery by half a level (1.4x) unasked, by one when asked.
MAX_FINER_LEVELS = 1.0
# Ground that a common drone camera (68 deg across) shows, as a multiple of its height.
FOOTPRINT_PER_AGL = 1.35


@dataclass(frozen=True)
class Plan:
    """levels, coarsest first, and the XYZ tiles (x, y) of the finest that may have imagery,
    sorted by y, then x."""

    levels: tuple[int, ...]
    finest_tiles: tuple[tuple[int, int], ...]


def parse_levels(text: str) -> tuple[int, ...]:
    """'17-19' or '18,19' or '18'. Raises InputError."""
    try:
        if "-" in text:
            low, high = (int(part) for part in text.split("-"))
            levels = tuple(range(low, high + 1))
        else:
            levels = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as e:
        raise InputError(f"--levels {text}: write it as 17-19 or 18,19") from e
    if not levels or not COARSEST_LEVEL <= levels[0] <= levels[-1] <= FINEST_LEVEL:
        raise InputError(f"--levels {text}: levels go up from {COARSEST_LEVEL} to {FINEST_LEVEL}")
    return levels


def parse_agl(text: str) -> tuple[float, float]:
    """'80-120' or '100', metres above ground. Raises InputError."""
    try:
        parts = [float(part) for part in text.split("-")]
        low, high = parts if len(parts) == 2 else parts * 2
    except ValueError as e:
        raise InputError(f"--agl-m {text}: write it as 80-120, metres above ground") from e
    if not 0 < low <= high < 20_000:
        raise InputError(f"--agl-m {text}: heights must be positive, the lower one first")
    return low, high


def choose_levels(
    sources: Sequence[Source],
    asked: tuple[int, ...] | None,
    agl_m: tuple[float, float] | None,
) -> tuple[int, ...]:
    """The levels asked for; or those whose 256-px view a camera's picture fills between the
    heights agl_m; or the imagery's own level and the two below.

    Raises InputError when a level is finer than the imagery can fill.
    """
    native = max(source.native_level for source in sources)
    best = math.floor(native + 0.5)
    if asked is not None:
        if asked[-1] > native + MAX_FINER_LEVELS:
            raise InputError(
                f"--levels: level {asked[-1]} is finer than the imagery, whose own level is "
                f"{native:.1f}; ask for {best} or coarser"
            )
        return asked
    if agl_m is None:
        return tuple(range(max(COARSEST_LEVEL, best - DEFAULT_LEVEL_COUNT + 1), best + 1))
    lat_deg = _middle_lat_deg(sources)
    east_m, _ = pixel_size_m(lat_deg, 0)
    finest, coarsest = (math.log2(east_m * TILE_PX / (FOOTPRINT_PER_AGL * h)) for h in agl_m)
    top = min(math.ceil(finest - 0.25), best)
    low = max(COARSEST_LEVEL, min(math.floor(coarsest + 0.25), top))
    return tuple(range(low, top + 1))


def make_plan(
    sources: Sequence[Source], levels: tuple[int, ...], area: BaseGeometry | None
) -> Plan:
    """Raises InputError when the area and the imagery have no tile in common."""
    finest = levels[-1]
    tiles: set[tuple[int, int]] = set()
    for source in sources:
        x0, y0, x1, y1 = _tile_range(source.bounds_m, finest)
        tiles.update((x, y) for y in range(y0, y1) for x in range(x0, x1))
    if area is not None:
        touches = prep(area).intersects
        tiles = {tile for tile in tiles if touches(box(*_tile_box(*tile, finest)))}
        if not tiles:
            raise InputError(
                "--area: lies outside the imagery, which covers "
                f"{_cover_text(sources)} (W,S,E,N); give an area within it"
            )
    return Plan(levels, tuple(sorted(tiles, key=lambda t: (t[1], t[0]))))


def native_ground_size_m(sources: Sequence[Source]) -> float:
    """Of the finest source, in m/px at the middle latitude."""
    native = max(source.native_level for source in sources)
    east_m, _ = pixel_size_m(_middle_lat_deg(sources), 0)
    return float(east_m / 2.0**native)


def _tile_range(bounds_m: tuple[float, float, float, float], level: int) -> tuple[int, ...]:
    west, south, east, north = bounds_m
    side_m, half = WORLD_M / 2**level, WORLD_M / 2
    slack = 1e-6  # a bound that lies on a tile's edge must not take in the next tile
    return (
        max(0, math.floor((west + half) / side_m + slack)),
        max(0, math.floor((half - north) / side_m + slack)),
        min(2**level, math.ceil((east + half) / side_m - slack)),
        min(2**level, math.ceil((half - south) / side_m - slack)),
    )


def _tile_box(x: int, y: int, level: int) -> tuple[float, float, float, float]:
    north, west = pixel_to_latlon(x * TILE_PX, y * TILE_PX, level)
    south, east = pixel_to_latlon((x + 1) * TILE_PX, (y + 1) * TILE_PX, level)
    return float(west), float(south), float(east), float(north)


def _latlon(x_m: float, y_m: float) -> tuple[float, float]:
    lat, lon = pixel_to_latlon((x_m / WORLD_M + 0.5) * TILE_PX, (0.5 - y_m / WORLD_M) * TILE_PX, 0)
    return float(lat), float(lon)


def _middle_lat_deg(sources: Sequence[Source]) -> float:
    south = min(s.bounds_m[1] for s in sources)
    north = max(s.bounds_m[3] for s in sources)
    return _latlon(0.0, (south + north) / 2)[0]


def _cover_text(sources: Sequence[Source]) -> str:
    bounds = [s.bounds_m for s in sources]
    south, west = _latlon(min(b[0] for b in bounds), min(b[1] for b in bounds))
    north, east = _latlon(max(b[2] for b in bounds), max(b[3] for b in bounds))
    return f"{west:.5f},{south:.5f},{east:.5f},{north:.5f}"
