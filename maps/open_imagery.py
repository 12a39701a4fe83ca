"""Turns what a person names as imagery into sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rasterio.crs import CRS
from rasterio.errors import CRSError

from maps.corner_csv import open_corner_csv
from maps.raster_source import RasterSource
from maps.source import Source
from maps.tile_source import open_mbtiles, open_xyz
from onboard.errors import InputError


def open_imagery(paths: Sequence[Path], crs_name: str | None = None) -> list[list[Source]]:
    """The sources of each input, in the order given; only a CSV makes several.

    crs_name: such as 'EPSG:32645', for pictures that do not say theirs. Raises InputError.
    """
    try:
        crs = None if crs_name is None else CRS.from_user_input(crs_name)
    except CRSError as e:
        raise InputError(
            f"--crs {crs_name}: not a coordinate system; write it as EPSG:number"
        ) from e
    return [_open(path, crs) for path in paths]


def _open(path: Path, crs: CRS | None) -> list[Source]:
    if path.is_dir():
        return [open_xyz(path)]
    if not path.exists():
        raise InputError(f"{path}: no such file; give imagery that exists")
    if path.suffix.lower() == ".csv":
        return list(open_corner_csv(path))
    if path.suffix.lower() == ".mbtiles":
        return [open_mbtiles(path)]
    return [RasterSource(path, crs)]
