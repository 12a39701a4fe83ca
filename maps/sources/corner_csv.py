"""Pictures whose corners stand in a CSV: filename, top_left_lat, top_left_lon,
bottom_right_lat, bottom_right_lon, in WGS84 degrees, north up. The other two corners may stand
there too, top_right_lat and so on: then all four must agree, and their mean is taken.

Between its corners a picture's rows are spread evenly in latitude; those of one that was cut out
of a Web Mercator map, as its square pixels there tell, evenly on that map: 4 m of difference in
the middle of 12 km at 50 degrees.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from rasterio.crs import CRS

from maps.sources.raster_source import MERCATOR, RasterSource
from maps.sources.source import WORLD_M
from onboard.errors import InputError
from onboard.geodesy import enu_offset_m, latlon_to_pixel
from onboard.messages import TILE_PX

COLUMNS = ("filename", "top_left_lat", "top_left_lon", "bottom_right_lat", "bottom_right_lon")

OTHER_COLUMNS = ("top_right_lat", "top_right_lon", "bottom_left_lat", "bottom_left_lon")
# Of the picture's width or height. A turned or slanted picture is no north-up rectangle.
MAX_DISAGREEMENT, TOLD_DISAGREEMENT = 0.05, 0.002
# Pixels wider than tall, or the other way round: of a map made in Web Mercator they are square.
TOLD_STRETCH = 0.005


def open_corner_csv(path: Path) -> list[RasterSource]:
    """One source a line; file names are relative to the CSV.

    Raises InputError: a column or picture missing, a number that is none, corners that are
    the wrong way round.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}: line 1: column '{missing[0]}' is missing; the columns are "
                    f"{', '.join(COLUMNS)}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: cannot be read as CSV ({e})") from e
    if not rows:
        raise InputError(f"{path}: has no lines below the header; add one for each picture")
    return [_source(path, line, row) for line, row in rows]


def _source(path: Path, line: int, row: dict[str, str]) -> RasterSource:
    where = f"{path}: line {line}"
    try:
        north, west, south, east = (float(row[c]) for c in COLUMNS[1:])
        others = [float(row[c]) for c in OTHER_COLUMNS] if row.get(OTHER_COLUMNS[0]) else None
    except (TypeError, ValueError, KeyError) as e:
        raise InputError(f"{where}: a corner is not a number ({e}); correct it") from e
    if others is not None:
        north, west, south, east = _mean(where, (north, west, south, east), others)
    if not (-90 < south < north < 90 and -180 <= west < east <= 180):
        raise InputError(
            f"{where}: the top left corner ({north}, {west}) must lie north-west of the bottom "
            f"right one ({south}, {east}), in degrees; correct the line"
        )
    picture = path.parent / (row["filename"] or "")
    if not picture.is_file():
        raise InputError(f"{where}: there is no picture {picture}; correct the file name")
    source = RasterSource(picture, CRS.from_epsg(4326), (west, south, east, north))
    corners = (north, west, south, east)
    _tell_stretch(where, source.size_px, corners)
    if not _is_of_mercator(source.size_px, corners):
        return source
    metres = WORLD_M / TILE_PX
    (x0, x1), (y0, y1) = latlon_to_pixel([north, south], [west, east], 0)
    left, right = x0 * metres - WORLD_M / 2, x1 * metres - WORLD_M / 2
    top, bottom = WORLD_M / 2 - y0 * metres, WORLD_M / 2 - y1 * metres
    return RasterSource(picture, MERCATOR, (left, bottom, right, top))


def _mean(
    where: str, corners: tuple[float, float, float, float], others: list[float]
) -> tuple[float, float, float, float]:
    """North, west, south, east between what the two pairs of corners say. Raises InputError
    when they are far from one rectangle."""
    north, west, south, east = corners
    right_north, right_east, left_south, left_west = others
    height_m, width_m = _size_m(north, west, south, east)
    off_m = max(
        *map(abs, enu_offset_m(north, east, right_north, right_east)),
        *map(abs, enu_offset_m(south, west, left_south, left_west)),
    )
    share = off_m / max(min(height_m, width_m), 1e-9)
    if not share <= MAX_DISAGREEMENT:
        raise InputError(
            f"{where}: the four corners are {off_m:.1f} m from a north-up rectangle; turn the "
            "picture north up, or give a GeoTIFF"
        )
    if share > TOLD_DISAGREEMENT:
        print(
            f"{where}: the four corners disagree by {off_m:.1f} m; their mean is taken, the map "
            "will be wrong by about half of that",
            file=sys.stderr,
        )
    return (
        (north + right_north) / 2,
        (west + left_west) / 2,
        (south + left_south) / 2,
        (east + right_east) / 2,
    )


def _tell_stretch(
    where: str, size_px: tuple[int, int], corners: tuple[float, float, float, float]
) -> None:
    """Says when the corners make the picture's pixels longer one way than the other."""
    north, west, south, east = corners
    width, height = size_px
    stretch = _stretch_of_mercator(size_px, corners)
    if abs(stretch) > TOLD_STRETCH:
        height_m, width_m = _size_m(north, west, south, east)
        off_m = abs(stretch) * min(height_m, width_m)
        print(
            f"{where}: the corners make the pixels {width_m / width:.4f} m wide and "
            f"{height_m / height:.4f} m high; if the picture comes from a map, they are up to "
            f"{off_m:.0f} m wrong",
            file=sys.stderr,
        )


def _is_of_mercator(size_px: tuple[int, int], corners: tuple[float, float, float, float]) -> bool:
    """Whether its pixels are square in Web Mercator, and more so than on the ground, which
    differs by up to 0.7 %."""
    height_m, width_m = _size_m(*corners)
    on_ground = width_m / size_px[0] / (height_m / size_px[1]) - 1
    stretch = abs(_stretch_of_mercator(size_px, corners))
    return stretch <= TOLD_STRETCH and stretch < abs(on_ground)


def _stretch_of_mercator(
    size_px: tuple[int, int], corners: tuple[float, float, float, float]
) -> float:
    """By how much the pixels are wider than high there, as a share."""
    north, west, south, east = corners
    width, height = size_px
    (x0, x1), (y0, y1) = latlon_to_pixel([north, south], [west, east], 0)
    return float((x1 - x0) / width / ((y1 - y0) / height) - 1)


def _size_m(north: float, west: float, south: float, east: float) -> tuple[float, float]:
    """(height, width) on the ground."""
    width_m, height_m = enu_offset_m(south, west, north, east)
    return abs(float(height_m)), abs(float(width_m))
