"""Pictures whose corners stand in a CSV: filename, top_left_lat, top_left_lon,
bottom_right_lat, bottom_right_lon, in WGS84 degrees, north up."""

from __future__ import annotations

import csv
from pathlib import Path

from rasterio.crs import CRS

from maps.raster_source import RasterSource
from onboard.errors import InputError

COLUMNS = ("filename", "top_left_lat", "top_left_lon", "bottom_right_lat", "bottom_right_lon")


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
    except (TypeError, ValueError) as e:
        raise InputError(f"{where}: a corner is not a number ({e}); correct it") from e
    if not (-90 < south < north < 90 and -180 <= west < east <= 180):
        raise InputError(
            f"{where}: the top left corner ({north}, {west}) must lie north-west of the bottom "
            f"right one ({south}, {east}), in degrees; correct the line"
        )
    picture = path.parent / (row["filename"] or "")
    if not picture.is_file():
        raise InputError(f"{where}: there is no picture {picture}; correct the file name")
    return RasterSource(picture, CRS.from_epsg(4326), (west, south, east, north))
