"""The two tables of UAV-VisLoc: where its maps lie, and where each picture was taken."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from export.datasets.text_files import need_columns, number, position, read_csv
from onboard.errors import InputError


@dataclass(frozen=True)
class Bounds:
    """Upper left and lower right corner, degrees."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True)
class Shot:
    """One line of <nn>.csv. heading: rad, clockwise from north."""

    filename: str
    lat_deg: float
    lon_deg: float
    height_m: float
    heading: float


def read_ranges(path: Path) -> dict[str, Bounds]:
    """Corners by two-digit map number. Raises InputError."""
    found: dict[str, Bounds] = {}
    for line, cells in read_csv(path)[1:]:
        need_columns(path, line, cells, 5, "map name, LT_lat, LT_lon, RB_lat, RB_lon")
        where = f"{path}, line {line}"
        digits = re.search(r"\d+", cells[0])
        if digits is None:
            raise InputError(f"{where}: '{cells[0]}' names no map by its number; correct it")
        (top, left), (bottom, right) = (
            position(cells[1], cells[2], where),
            position(cells[3], cells[4], where),
        )
        if not (bottom < top and left < right):
            raise InputError(f"{where}: the corners are the wrong way round; correct the line")
        found[f"{int(digits[0]):02d}"] = Bounds(top, left, bottom, right)
    return found


def read_shots(path: Path) -> list[tuple[int, Shot]]:
    """(line, picture) of a map's table. Raises InputError."""
    rows = read_csv(path)
    layout = "number, filename, date, lat, lon, height, ..., heading, one more"
    shots = []
    for line, cells in rows[1:]:
        need_columns(path, line, cells, 8, layout)
        where = f"{path}, line {line}"
        lat_deg, lon_deg = position(cells[3], cells[4], where)
        height_m = number(cells[5], f"{where}, height")
        if height_m <= 0:
            raise InputError(f"{where}: a height of {height_m} m; correct or delete the line")
        heading = math.radians(number(cells[-2], f"{where}, heading"))
        shots.append((line, Shot(cells[1], lat_deg, lon_deg, height_m, heading)))
    if not shots:
        raise InputError(f"{path}: a header but no rows; get the data set again")
    return shots
