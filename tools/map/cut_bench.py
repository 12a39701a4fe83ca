"""How long a mission's pack takes to be cut out of a large store of made-up cells.

python -m tools.map.cut_bench DIR --area-km2 10000 --mission-km2 100

Imagery tiles are real JPEGs of noise, descriptors random unit vectors: what a cut does with
them depends on neither. A store of 10,000 km2 at level 18 takes some 9 GB and a few minutes;
it stays, and is used again, until removed by hand.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely.geometry import box
from tqdm import tqdm

from maps.cells.cell import Cell, root_level
from maps.cells.store import STORE_FORMAT, TILES_NAME, CellStore, Step, StoreHeader
from maps.cut import CutRequest, cut_pack
from maps.progress import progress_s
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.pack.map_pack import MapPack
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.pack_manifest import IMAGERY_NAME, ImagerySource, PackModel
from onboard.pack.tile_index import unit_length

PICTURES = 32  # different ones, so that nothing compresses them away
ORIGIN = (0.5, 30.0)  # (lat_deg, lon_deg) of the store's middle: tiles of 153 m at level 18
CUTS = 3


def make_store(folder: Path, area_km2: float, levels: tuple[int, ...], dim: int) -> CellStore:
    """A finished store of a square of that size. Raises InputError when another is there."""
    store = CellStore(str(folder))
    header = StoreHeader(
        STORE_FORMAT,
        root_level(levels),
        levels,
        PackModel("made-up", "0" * 64, dim),
        (ImagerySource(f"noise over {area_km2:g} km2", "unknown", "none", "none"),),
        finished=True,
    )
    if store.header() is not None:
        if store.header() != header:
            raise InputError(f"{folder}: holds another store; remove it or give another folder")
        return store
    random = np.random.default_rng(1)
    pictures = [_picture(random) for _ in range(PICTURES)]
    cells = _square(header.root_level, area_km2)
    with store.locked():
        for cell in tqdm(cells, desc="making cells", unit="cell", mininterval=progress_s()):
            _make_cell(store, cell, levels, dim, pictures, random)
        store.put_header(header)
    return store


def _picture(random: np.random.Generator) -> bytes:
    """About the weight of an aerial picture's tile."""
    noise = random.normal(128, 40, (TILE_PX, TILE_PX)).astype(np.float32)
    grey = np.clip(cv2.GaussianBlur(noise, (0, 0), 1.2) * 2 - 128, 1, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))[1])


def _square(root: int, area_km2: float) -> list[Cell]:
    x, y = (int(v // TILE_PX) for v in latlon_to_pixel(*ORIGIN, root))
    side_m = pixel_size_m(ORIGIN[0], root)[0] * TILE_PX
    count = math.ceil(math.sqrt(area_km2) * 1000 / side_m)
    half = count // 2
    return [Cell(root, x - half + i, y - half + j) for j in range(count) for i in range(count)]


def _make_cell(
    store: CellStore,
    cell: Cell,
    levels: tuple[int, ...],
    dim: int,
    pictures: list[bytes],
    random: np.random.Generator,
) -> None:
    with tempfile.TemporaryDirectory(dir=store.folder) as name:
        imagery, tiles = Path(name) / IMAGERY_NAME, Path(name) / TILES_NAME
        writer = MBTilesWriter(imagery)
        columns: dict[str, NDArray[np.generic]] = {}
        laid, described = {}, {}
        for level in levels:
            x0, y0, x1, y1 = cell.tiles(level)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    writer.put(level, x, y, pictures[int(random.integers(PICTURES))])
            rows, cols = np.mgrid[2 * y0 : 2 * y1, 2 * x0 : 2 * x1].reshape(2, -1).astype(np.int32)
            columns[f"cols{level}"], columns[f"rows{level}"] = cols, rows
            vectors = unit_length(random.standard_normal((len(cols), dim), np.float32))
            columns[f"descriptors{level}"] = vectors.astype(np.float16)
            laid[level], described[level] = (x1 - x0) * (y1 - y0), len(cols)
        writer.commit()
        writer.close()
        with tiles.open("wb") as file:
            np.savez(file, **columns)  # type: ignore[arg-type]
        store.put(cell, Step.LAY, "made up", [imagery], laid)
        store.put(cell, Step.DESCRIBE, "made up", [tiles], described)


def cut(store: str, out: Path, mission_km2: float) -> tuple[float, int]:
    """(seconds, tiles) of a square cut out of the middle, then opened as in flight."""
    level = 18
    half_px = math.sqrt(mission_km2) * 500 / pixel_size_m(ORIGIN[0], level)[0]
    x, y = (float(v) for v in latlon_to_pixel(*ORIGIN, level))
    north, west = (float(v) for v in pixel_to_latlon(x - half_px, y - half_px, level))
    south, east = (float(v) for v in pixel_to_latlon(x + half_px, y + half_px, level))
    begin = time.perf_counter()
    manifest = cut_pack(CutRequest(store, out, box(west, south, east, north), replace=True))
    seconds = time.perf_counter() - begin
    MapPack.open(out)
    return seconds, sum(shard.count for shard in manifest.shards)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--area-km2", type=float, default=10_000.0)
    parser.add_argument("--mission-km2", type=float, default=100.0)
    parser.add_argument("--dim", type=int, default=256, help="numbers of a descriptor")
    parser.add_argument("--levels", type=int, nargs="+", default=[18])
    args = parser.parse_args(argv)
    begin = time.perf_counter()
    store = make_store(args.folder / "store", args.area_km2, tuple(args.levels), args.dim)
    marks = [store.mark(cell, Step.DESCRIBE) for cell in store.cells()]
    total = sum(mark.count for mark in marks if mark is not None)
    print(f"store: {len(marks)} cells, {total:,} tiles, {time.perf_counter() - begin:.0f} s")
    best = math.inf
    for _ in range(CUTS):
        seconds, tiles = cut(str(args.folder / "store"), args.folder / "cut.pack", args.mission_km2)
        print(f"cut of {args.mission_km2:g} km2: {tiles:,} tiles in {seconds:.2f} s")
        best = min(best, seconds)
    shutil.rmtree(args.folder / "cut.pack")
    print(f"best {best:.2f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as e:
        sys.exit(str(e))
