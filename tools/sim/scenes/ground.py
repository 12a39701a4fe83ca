"""The shape of the ground below a scene: flat, or from an elevation model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform, transform_bounds

from maps.sources.source import WORLD_M
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX

MAX_SIDE_PX = 4096  # of the elevation model in memory; a finer one is averaged
MERCATOR = CRS.from_epsg(3857)

Layer = NDArray[np.float32]


class Ground(Protocol):
    """lowest_m, highest_m: above mean sea level."""

    lowest_m: float
    highest_m: float

    def heights(self, level: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Layer:
        """Metres above mean sea level at map pixels of a level."""


class FlatGround:
    """The same height everywhere."""

    def __init__(self, amsl_m: float) -> None:
        self.lowest_m = self.highest_m = amsl_m

    def heights(self, level: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Layer:
        return np.full(x.shape, self.lowest_m, np.float32)


class Terrain:
    """Heights on a Web Mercator grid, linear between its cells; the border goes on outwards."""

    def __init__(self, amsl_m: Layer, west_m: float, north_m: float, cell_m: float) -> None:
        """amsl_m: (H, W), rows from the north; west_m, north_m, cell_m in EPSG:3857 metres."""
        self._amsl_m = np.ascontiguousarray(amsl_m, np.float32)
        self._west_m, self._north_m, self._cell_m = west_m, north_m, cell_m
        self.lowest_m, self.highest_m = float(amsl_m.min()), float(amsl_m.max())

    def heights(self, level: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> Layer:
        metres_per_px = WORLD_M / (TILE_PX * 2**level)
        col = (x * metres_per_px - WORLD_M / 2 - self._west_m) / self._cell_m - 0.5
        row = (self._north_m - (WORLD_M / 2 - y * metres_per_px)) / self._cell_m - 0.5
        return np.asarray(
            cv2.remap(
                self._amsl_m,
                col.astype(np.float32),
                row.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )


def height_at(ground: Ground, lat_deg: float, lon_deg: float) -> float:
    """Metres above mean sea level of one point."""
    level = 20
    x, y = latlon_to_pixel(lat_deg, lon_deg, level)
    return float(ground.heights(level, np.array([[x]]), np.array([[y]]))[0, 0])


def read_terrain(path: Path, bounds_m: tuple[float, float, float, float]) -> Terrain:
    """The part of an elevation model (anything GDAL reads, metres above mean sea level) inside
    bounds_m: west, south, east, north in EPSG:3857.

    Raises InputError: unreadable, no coordinate system, nothing there.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an elevation model, as GeoTIFF")
    west, south, east, north = bounds_m
    try:
        with rasterio.open(path) as dataset:
            if dataset.crs is None or dataset.transform.is_identity:
                raise InputError(f"{path}: is not georeferenced; give an elevation model that is")
            grid, _, _ = calculate_default_transform(
                dataset.crs, MERCATOR, dataset.width, dataset.height, *dataset.bounds
            )
            cell_m = max(grid.a, (east - west) / MAX_SIDE_PX, (north - south) / MAX_SIDE_PX)
            width = max(2, math.ceil((east - west) / cell_m))
            height = max(2, math.ceil((north - south) / cell_m))
            with WarpedVRT(
                dataset,
                crs=MERCATOR,
                transform=Affine(cell_m, 0.0, west, 0.0, -cell_m, north),
                width=width,
                height=height,
                resampling=Resampling.bilinear,
                dtype="float32",
                nodata=math.nan,
            ) as warped:
                amsl_m = warped.read(1)
    except RasterioError as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise InputError(f"{path}: cannot be read ({first}); get the file again") from e
    known = np.isfinite(amsl_m)
    if not known.any():
        raise InputError(f"{path}: has no heights in the imagery's area; give a model of that area")
    # Holes (water, mostly) lie as low as the lowest around.
    amsl_m[~known] = amsl_m[known].min()
    return Terrain(amsl_m, west, north, cell_m)


def dem_bounds_m(path: Path) -> tuple[float, float, float, float]:
    """west, south, east, north in EPSG:3857. Raises InputError: unreadable, no coordinates."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an elevation model, as GeoTIFF")
    try:
        with rasterio.open(path) as dataset:
            if dataset.crs is None or dataset.transform.is_identity:
                raise InputError(f"{path}: is not georeferenced; give an elevation model that is")
            west, south, east, north = transform_bounds(dataset.crs, MERCATOR, *dataset.bounds)
            return west, south, east, north
    except RasterioError as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise InputError(f"{path}: cannot be read ({first}); get the file again") from e
