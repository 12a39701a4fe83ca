"""A small textured picture and ways to write it down as imagery."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.transform import Affine, from_origin

from maps.pixels import encode_tile
from onboard.messages import TILE_PX, Picture
from onboard.pack.mbtiles import MBTilesWriter

UTM = "EPSG:32645"
ORIGIN = (500_000.0, 3_100_000.0)  # 87 E, 28.02 N
GSD_M = 0.6
LEVEL = 18


def texture(height: int, width: int, seed: int = 1) -> Picture:
    """Smooth coloured noise, 30..225, so that JPEG and resampling keep it."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    scaled = cv2.normalize(smooth, None, 30, 225, cv2.NORM_MINMAX)
    return np.asarray(scaled, np.uint8)


def write_tif(
    path: Path,
    picture: Picture,
    origin: tuple[float, float] = ORIGIN,
    gsd_m: float = GSD_M,
    crs: str | None = UTM,
    **options: object,
) -> Path:
    """picture as (H, W, 3) BGR in any dtype, or BGR and alpha."""
    bands = np.moveaxis(picture, 2, 0)
    rgb = np.concatenate([bands[2::-1], bands[3:]])
    profile = {
        "driver": "GTiff",
        "width": picture.shape[1],
        "height": picture.shape[0],
        "count": len(rgb),
        "dtype": picture.dtype,
        "crs": crs,
        "transform": from_origin(*origin, gsd_m, gsd_m) if crs else Affine.identity(),
        **options,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(rgb)
        if len(rgb) == 4:
            file.colorinterp = [
                rasterio.enums.ColorInterp[c] for c in ("red", "green", "blue", "alpha")
            ]
    return path


def tiles_of(picture: Picture, px: int = TILE_PX) -> dict[tuple[int, int], Picture]:
    """Cut into tiles (x, y)."""
    rows, cols = picture.shape[0] // px, picture.shape[1] // px
    return {
        (x, y): picture[y * px : (y + 1) * px, x * px : (x + 1) * px]
        for y in range(rows)
        for x in range(cols)
    }


def write_mbtiles(path: Path, picture: Picture, level: int, x0: int, y0: int) -> Path:
    writer = MBTilesWriter(path)
    for (x, y), tile in tiles_of(picture).items():
        data = encode_tile(np.ascontiguousarray(tile))
        if data is not None:
            writer.put(level, x0 + x, y0 + y, data)
    writer.commit()
    writer.close()
    return path


def write_xyz(
    folder: Path, picture: Picture, level: int, x0: int, y0: int, px: int = TILE_PX
) -> Path:
    """PNG tiles z/x/y.png; returns the folder that holds the zoom's."""
    for (x, y), tile in tiles_of(picture, px).items():
        column = folder / str(level) / str(x0 + x)
        column.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(column / f"{y0 + y}.png"), tile)
    return folder
