"""Elevation files whose posts lie on one grid, read as if they were one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine

from maps.terrain.dem_file import DemFile, applied

LATTICE_PX = 8  # positions between are interpolated: curvature over so few pixels is < 0.01 px
SLACK_PX = 0.01  # by which files of one grid may be off it
MOST_POSTS = 4_000_000  # at once, 32 MB; positions farther apart are read by halves

Floats = NDArray[np.float64]


def of_one_grid(model: Sequence[DemFile]) -> list[list[DemFile]]:
    """Files next to one another whose posts lie on one grid, in one datum."""
    groups: list[list[DemFile]] = []
    for file in model:
        for group in groups:
            if _offset_px(group[0], file) is not None:
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def _offset_px(first: DemFile, other: DemFile) -> tuple[int, int] | None:
    """(columns, rows) of the other's corner in the first's grid; None where it is not on it."""
    one, two = first.grid, other.grid
    same = other.crs == first.crs and other.datum == first.datum
    cell = max(abs(one.a), abs(one.e))
    if not same or any(
        abs(p - q) * max(first.width, first.height) > SLACK_PX * cell
        for p, q in ((one.a, two.a), (one.b, two.b), (one.d, two.d), (one.e, two.e))
    ):
        return None
    col, row = applied(~one, two.c, two.f)
    if max(abs(col - round(col)), abs(row - round(row))) > SLACK_PX:
        return None
    return round(col), round(row)


class DemGrid:
    """Files on one grid, whose posts are read as if they were one file."""

    def __init__(self, files: list[DemFile]) -> None:
        self._files = files
        self._offsets = [_offset_px(files[0], file) or (0, 0) for file in files]
        self._grid: Affine = ~files[0].grid
        self._from_wgs84 = Transformer.from_crs("EPSG:4326", files[0].crs, always_xy=True)

    def heights_m(self, lat: Floats, lon: Floats, between: bool) -> Floats:
        """Heights above mean sea level. between: lat, lon are a lattice every LATTICE_PX, heights
        at the centres of the pixels of it; else they are the positions."""
        column, row = self._columns_rows(lat, lon)
        added_m = self._files[0].to_amsl.added_m(lat, lon)
        if between:
            column, row, added_m = map(_at_centres, (column, row, added_m))
        return self._posts_at(column, row) + added_m

    def touched(self, lat: Floats, lon: Floats) -> list[Path]:
        """The files that a bounding box of the positions touches."""
        column, row = self._columns_rows(lat, lon)
        if not np.isfinite(column).any():
            return []
        west, east = np.nanmin(column) - 1, np.nanmax(column) + 1
        north, south = np.nanmin(row) - 1, np.nanmax(row) + 1
        return [
            file.path
            for file, (left, top) in zip(self._files, self._offsets, strict=True)
            if west < left + file.width and east > left
            if north < top + file.height and south > top
        ]

    def _columns_rows(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Of positions, in posts: a whole number is a post. NaN where the crs has none."""
        x, y = (np.asarray(v, float) for v in self._from_wgs84.transform(lon, lat))
        x, y = (np.where(np.isfinite(v), v, np.nan) for v in (x, y))
        column, row = applied(self._grid, x, y)
        return column - 0.5, row - 0.5

    def _posts_at(self, column: Floats, row: Floats) -> Floats:
        """Bilinear; where a post around is unknown, the post whose own pixel it is in."""
        out = np.full(column.shape, np.nan)
        left, top = min(o[0] for o in self._offsets), min(o[1] for o in self._offsets)
        right = max(o[0] + f.width for o, f in zip(self._offsets, self._files, strict=True))
        bottom = max(o[1] + f.height for o, f in zip(self._offsets, self._files, strict=True))
        with np.errstate(invalid="ignore"):
            inside = (column >= left - 0.5) & (column <= right - 0.5)
            inside &= (row >= top - 0.5) & (row <= bottom - 0.5)
        out[inside] = self._interpolated(column[inside], row[inside])
        return out

    def _interpolated(self, c: Floats, r: Floats) -> Floats:
        if c.size == 0:
            return c
        west, north = math.floor(c.min()), math.floor(r.min())
        width, height = math.floor(c.max()) - west + 2, math.floor(r.max()) - north + 2
        if width * height > MOST_POSTS and c.size > 1:
            half = c.size // 2
            parts = [self._interpolated(c[k], r[k]) for k in (slice(half), slice(half, None))]
            return np.concatenate(parts)
        posts = self._posts(west, north, width, height)
        c, r = c - west, r - north
        c0, r0 = c.astype(np.int64), r.astype(np.int64)
        u, v = c - c0, r - r0
        above = posts[r0, c0] * (1 - u) + posts[r0, c0 + 1] * u
        below = posts[r0 + 1, c0] * (1 - u) + posts[r0 + 1, c0 + 1] * u
        heights = above * (1 - v) + below * v
        nearest = posts[r0 + (v >= 0.5), c0 + (u >= 0.5)]
        return np.where(np.isfinite(heights), heights, nearest)

    def _posts(self, west: int, north: int, width: int, height: int) -> Floats:
        posts = np.full((height, width), np.nan)
        for file, (left, top) in zip(self._files, self._offsets, strict=True):
            beside = west >= left + file.width or west + width <= left
            if beside or north >= top + file.height or north + height <= top:
                continue
            read = file.posts(west - left, north - top, width, height)
            np.copyto(posts, read, where=np.isfinite(read))
        return posts


def _at_centres(lattice: Floats) -> Floats:
    """A lattice's values, bilinear, at the centres of its LATTICE_PX x LATTICE_PX pixels."""
    inner = (np.arange(LATTICE_PX) + 0.5) / LATTICE_PX
    along = lattice[:, :-1, None] * (1 - inner) + lattice[:, 1:, None] * inner
    along = along.reshape(lattice.shape[0], -1)
    down = along[:-1, None] * (1 - inner)[:, None] + along[1:, None] * inner[:, None]
    return down.reshape(-1, along.shape[1])
