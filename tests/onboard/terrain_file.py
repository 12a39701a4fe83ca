"""A terrain.mbtiles made of a function of east and north metres around a place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from onboard.geodesy import enu_offset_m, latlon_to_pixel, offset_latlon, pixel_to_latlon
from onboard.messages import TILE_PX, Floats
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.terrain import Terrain, encode_heights

Shape = Callable[[Floats, Floats], Floats]  # heights above mean sea level of east, north metres


def write_terrain(
    path: Path, place: tuple[float, float], reach_m: float, level: int, shape: Shape
) -> None:
    """Whole tiles that cover reach_m around the place each way; NaN is unknown ground."""
    x0, y0 = latlon_to_pixel(*offset_latlon(*place, -reach_m, reach_m), level)
    x1, y1 = latlon_to_pixel(*offset_latlon(*place, reach_m, -reach_m), level)
    writer = MBTilesWriter(path)
    for ty in range(int(y0) // TILE_PX, int(y1) // TILE_PX + 1):
        for tx in range(int(x0) // TILE_PX, int(x1) // TILE_PX + 1):
            x = (np.arange(TILE_PX) + 0.5 + TILE_PX * tx)[None, :]
            y = (np.arange(TILE_PX) + 0.5 + TILE_PX * ty)[:, None]
            lat, lon = pixel_to_latlon(x, y, level)
            east, north = np.broadcast_arrays(*enu_offset_m(*place, lat, lon))
            data = encode_heights(np.broadcast_to(shape(east, north), (TILE_PX, TILE_PX)))
            if data is not None:
                writer.put(level, tx, ty, data)
    writer.commit()
    writer.close()


def terrain_of(
    folder: Path, place: tuple[float, float], shape: Shape, reach_m: float = 600.0, level: int = 17
) -> Terrain:
    """Opened, with heights good to 2 m."""
    path = folder / "terrain.mbtiles"
    write_terrain(path, place, reach_m, level, shape)
    return Terrain(path, level, 2.0)
