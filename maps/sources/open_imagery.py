"""Turns what a person names as imagery into sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely.geometry.base import BaseGeometry

from maps.sources.corner_csv import open_corner_csv
from maps.sources.odm import is_odm, open_odm
from maps.sources.pmtiles_file import open_pmtiles
from maps.sources.raster_source import RasterSource
from maps.sources.source import Source
from maps.sources.tile_service import open_tile_service
from maps.sources.tile_source import open_mbtiles, open_xyz
from maps.sources.xyz_folder import holds_tiles
from onboard.errors import InputError

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt")


def open_imagery(
    paths: Sequence[Path], crs_name: str | None = None, area: BaseGeometry | None = None
) -> list[list[Source]]:
    """The sources of each input, in the order given; a CSV and a folder of GeoTIFFs make several.

    crs_name: such as 'EPSG:32645', for pictures that do not say theirs. area: WGS84 longitude,
    latitude; a tile service has no bounds but these. Raises InputError.
    """
    try:
        with rasterio.Env():  # GDAL says it once more, on the error output, without
            crs = None if crs_name is None else CRS.from_user_input(crs_name)
    except CRSError as e:
        raise InputError(
            f"--crs {crs_name}: not a coordinate system; write it as EPSG:number"
        ) from e
    return [_open(path, crs, area) for path in paths]


def _open(path: Path, crs: CRS | None, area: BaseGeometry | None) -> list[Source]:
    if str(path).lower().startswith(("http:/", "https:/")):  # a Path has one slash only
        raise InputError(
            f"{path.parts[0]}//{'/'.join(path.parts[1:2])}: a tile service is given as a TOML "
            "file with url, levels, licence and attribution, because it needs limits too"
        )
    if path.is_dir():
        if is_odm(path):
            return [open_odm(path, crs)]
        rasters = rasters_in(path)
        return [RasterSource(r, crs) for r in rasters] if rasters else [open_xyz(path)]
    if not path.exists():
        raise InputError(f"{path}: no such file; give imagery that exists")
    kind = path.suffix.lower()
    if kind == ".toml":
        return [open_tile_service(path, area)]
    if kind == ".csv":
        return list(open_corner_csv(path))
    if kind == ".mbtiles":
        return [open_mbtiles(path)]
    if kind == ".pmtiles":
        return [open_pmtiles(path)]
    return [RasterSource(path, crs)]


def rasters_in(folder: Path) -> list[Path]:
    """The GeoTIFFs and VRTs of a folder by name; none where it holds tiles, beside which their
    maker may have left a VRT."""
    if holds_tiles(folder):
        return []
    seen = [
        path for path in sorted(folder.iterdir()) if not path.name.startswith(".")
    ]  # macOS: ._a.tif by a.tif
    return [path for path in seen if path.suffix.lower() in RASTER_SUFFIXES and path.is_file()]
