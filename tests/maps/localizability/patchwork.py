"""Ground of four kinds side by side: a town, a lake, bare fields, and one block repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from maps.world.epoch import random_epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.messages import Picture
from tests.maps.small_imagery import write_tif

SIDE_PX, GSD_M = 640, 0.6  # of a quarter
BLOCK_PX = 80
ORIGIN = (500_000.0, 5_200_000.0)  # UTM 32
QUARTERS = ("town", "lake", "fields", "repeated")


def quarters() -> dict[str, Picture]:
    """(640, 640, 3) BGR each."""
    rng = np.random.default_rng(3)
    landscape = Landscape(11, SIDE_PX * GSD_M, GSD_M, style=3)
    half = SIDE_PX * GSD_M / 2
    town, _ = render_ortho(landscape, random_epoch(rng), half, half, SIDE_PX, SIDE_PX, GSD_M)
    grain = rng.normal(0, 1.2, (SIDE_PX, SIDE_PX, 1))
    lake = np.clip(np.array([88.0, 74.0, 52.0]) + grain, 1, 255)
    bare = np.clip(np.array([96.0, 138.0, 150.0]) + grain, 1, 255)
    block = town[100 : 100 + BLOCK_PX, 100 : 100 + BLOCK_PX]
    repeated = np.tile(block, (SIDE_PX // BLOCK_PX, SIDE_PX // BLOCK_PX, 1))
    made = {"town": town, "lake": lake, "fields": bare, "repeated": repeated}
    return {name: np.asarray(made[name], np.uint8) for name in QUARTERS}


def write_patchwork(path: Path) -> Path:
    """A GeoTIFF: town and lake above, fields and the repeated block below."""
    q = quarters()
    rows = [np.hstack([q["town"], q["lake"]]), np.hstack([q["fields"], q["repeated"]])]
    return write_tif(path, np.vstack(rows), ORIGIN, GSD_M, "EPSG:32632")


def quarter_of(lat_deg: float, lon_deg: float, inside_m: float) -> str | None:
    """The quarter that a position lies in, inside_m and more from its edges."""
    from pyproj import Transformer

    east, north = Transformer.from_crs(4326, 32632, always_xy=True).transform(lon_deg, lat_deg)
    x, y = east - ORIGIN[0], ORIGIN[1] - north
    side_m = SIDE_PX * GSD_M
    if any(not inside_m <= v % side_m <= side_m - inside_m for v in (x, y)):
        return None
    if not (0 <= x < 2 * side_m and 0 <= y < 2 * side_m):
        return None
    return QUARTERS[int(x // side_m) + 2 * int(y // side_m)]


def way_through(names: list[str]) -> list[tuple[float, float]]:
    """(lat_deg, lon_deg) of the quarters' middles, one after the other."""
    from pyproj import Transformer

    back = Transformer.from_crs(32632, 4326, always_xy=True)
    side_m = SIDE_PX * GSD_M
    out = []
    for name in names:
        row, col = divmod(QUARTERS.index(name), 2)
        lon, lat = back.transform(
            ORIGIN[0] + (col + 0.5) * side_m, ORIGIN[1] - (row + 0.5) * side_m
        )
        out.append((lat, lon))
    return out
