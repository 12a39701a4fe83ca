"""What a build will make: the levels, and which tiles a source touches."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from maps.sources.source import WORLD_M, Source
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.rectify import MIN_VALID_SHARE, choose_level

COARSEST_LEVEL, FINEST_LEVEL = 8, 24  # 600 m/px to 1 cm/px at the equator
DEFAULT_LEVEL_COUNT = 3
# A level may be finer than the imagery by half a level (1.4x) unasked, by one when asked.
MAX_FINER_LEVELS = 1.0
# Where no camera is named: 68 deg across, as most drones' have within 10 deg.
COMMON_CAMERA = Camera(width_px=4000, height_px=3000, horizontal_fov_deg=68.0)


def parse_levels(text: str) -> tuple[int, ...]:
    """'17-19' or '18,19' or '18'. Raises InputError."""
    try:
        if "-" in text:
            low, high = (int(part) for part in text.split("-"))
            levels = tuple(range(low, min(high, FINEST_LEVEL + 1) + 1))
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
    camera: Camera | None = None,
    area: BaseGeometry | None = None,
) -> tuple[int, ...]:
    """The levels asked for; or all that `onboard.rectify.choose_level` would choose for the
    camera somewhere between the heights agl_m (lowest, highest) and the area's latitudes; or
    the imagery's own level and the two below.

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
    usable = range(COARSEST_LEVEL, best + 1)
    lats_deg = [middle_lat_deg(sources)] if area is None else [area.bounds[1], area.bounds[3]]
    chosen = {
        choose_level(usable, height_m, camera or COMMON_CAMERA, lat_deg)
        for height_m in agl_m
        for lat_deg in lats_deg
    }
    return tuple(range(min(chosen), max(chosen) + 1))


def lowest_usable_agl_m(level: int, camera: Camera, lat_deg: float) -> float:
    """Below, `onboard.rectify` refuses every view of the level (VIEW_TOO_SMALL) from a camera
    that looks straight down."""
    side_m = TILE_PX * pixel_size_m(lat_deg, level)[0]
    (fx, fy) = camera.focal_px
    across, along = camera.width_px / fx, camera.height_px / fy
    agl_m = side_m * math.sqrt(MIN_VALID_SHARE / (across * along))
    if max(across, along) * agl_m > side_m:  # wider than the view one way: the other decides
        agl_m = side_m * MIN_VALID_SHARE / min(across, along)
    return agl_m


def tile_range(
    bounds_m: tuple[float, float, float, float], level: int
) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1): the XYZ tiles of a level that touch bounds_m (west, south, east, north
    in EPSG:3857) are x0 <= x < x1, y0 <= y < y1."""
    west, south, east, north = bounds_m
    side_m, half = WORLD_M / 2**level, WORLD_M / 2
    slack = 1e-6  # a bound that lies on a tile's edge must not take in the next tile
    return (
        max(0, math.floor((west + half) / side_m + slack)),
        max(0, math.floor((half - north) / side_m + slack)),
        min(2**level, math.ceil((east + half) / side_m - slack)),
        min(2**level, math.ceil((half - south) / side_m - slack)),
    )


def tile_box(x: int, y: int, level: int) -> tuple[float, float, float, float]:
    """West, south, east, north of an XYZ tile in degrees."""
    north, west = pixel_to_latlon(x * TILE_PX, y * TILE_PX, level)
    south, east = pixel_to_latlon((x + 1) * TILE_PX, (y + 1) * TILE_PX, level)
    return float(west), float(south), float(east), float(north)


def _latlon(x_m: float, y_m: float) -> tuple[float, float]:
    lat, lon = pixel_to_latlon((x_m / WORLD_M + 0.5) * TILE_PX, (0.5 - y_m / WORLD_M) * TILE_PX, 0)
    return float(lat), float(lon)


def middle_lat_deg(sources: Sequence[Source]) -> float:
    """Half way between the southernmost and the northernmost imagery, in Web Mercator."""
    south = min(s.bounds_m[1] for s in sources)
    north = max(s.bounds_m[3] for s in sources)
    return _latlon(0.0, (south + north) / 2)[0]


def refuse_outside(area: BaseGeometry, sources: Sequence[Source]) -> None:
    """area: WGS84 longitude, latitude. Raises InputError when no source comes near it."""
    for source in sources:
        west_m, south_m, east_m, north_m = source.bounds_m
        (south, west), (north, east) = _latlon(west_m, south_m), _latlon(east_m, north_m)
        if area.intersects(box(west, south, east, north)):
            return
    raise InputError(
        f"--area: lies outside the imagery, which covers {cover_text(sources)} (W,S,E,N); give an "
        "area within it"
    )


def cover_text(sources: Sequence[Source]) -> str:
    """W,S,E,N around all sources in degrees."""
    bounds = [s.bounds_m for s in sources]
    return box_text(
        (
            min(b[0] for b in bounds),
            min(b[1] for b in bounds),
            max(b[2] for b in bounds),
            max(b[3] for b in bounds),
        )
    )


def box_text(box_m: tuple[float, float, float, float]) -> str:
    """W,S,E,N in degrees of a box in EPSG:3857."""
    (south, west), (north, east) = _latlon(*box_m[:2]), _latlon(*box_m[2:])
    return f"{west:.5f},{south:.5f},{east:.5f},{north:.5f}"
