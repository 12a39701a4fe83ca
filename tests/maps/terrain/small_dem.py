"""Small elevation models with a known height everywhere, written as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine, from_origin

Hills = Callable[[Any, Any], Any]  # of latitude, longitude in degrees


def hills(lat_deg: Any, lon_deg: Any) -> Any:
    """Smooth over kilometres, so that a post every 30 m tells it to centimetres."""
    return (
        700.0
        + 120.0 * np.sin(np.radians(np.asarray(lat_deg)) * 900.0)
        + 90.0 * np.cos(np.radians(np.asarray(lon_deg)) * 700.0)
    )


def write_dem(
    path: Path,
    crs: str,
    west: float,
    north: float,
    step: float,
    shape: tuple[int, int],
    heights: Hills = hills,
    **options: Any,
) -> Path:
    """Posts every step (the crs's unit) from the upper left corner; each holds the height at its
    pixel's centre. options: as rasterio has them; units: of the band."""
    horizontal = crs.split("+")[0]
    grid = from_origin(west, north, step, step)
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    x, y = grid.a * cols + grid.c, grid.e * rows + grid.f
    lon, lat = Transformer.from_crs(horizontal, "EPSG:4326", always_xy=True).transform(x, y)
    return write_posts(path, heights(lat, lon), crs, grid, **options)


def write_posts(
    path: Path, posts: NDArray[Any], crs: str | None, grid: Affine, **options: Any
) -> Path:
    units = options.pop("units", None)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": crs, "transform": grid}
    height, width = posts.shape
    with rasterio.open(path, "w", width=width, height=height, **{**profile, **options}) as file:
        file.write(posts.astype(options.get("dtype", "float32")), 1)
        if units is not None:
            file.units = (units,)
    return path


def write_hgt(path: Path, south: int, west: int, count: int, heights: Hills = hills) -> Path:
    """SRTM: big-endian int16, count posts to the side, the borders' included, north first."""
    lat = south + 1 - np.arange(count)[:, None] / (count - 1)
    lon = west + np.arange(count)[None, :] / (count - 1)
    path.write_bytes(np.round(heights(lat, lon)).astype(">i2").tobytes())
    return path
