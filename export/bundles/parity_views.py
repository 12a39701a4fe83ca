"""The pictures that an exported network is compared on: a gallery of tiles and views of the
same ground, from a map pack, from photographs, or from the procedural world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.epoch import random_epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.errors import InputError
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import MANIFEST_NAME

PICTURE_PX = 256
STEP_PX = 128  # neighbours in the gallery overlap by half, as a map's tiles and views do
WORLD_GROUND_SIZE_M = 0.3
WORLD_SEED = 20
MIN_GROUND = 0.5  # share of a picture; emptier ones say little
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
GALLERY, QUERIES = 64, 16
LEAST_TILES = 22  # half of them calibrate, and ten neighbours are to be found among the rest

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class ParityViews:
    """gallery (G,256,256,3), queries (Q,256,256,3) uint8 BGR; where they come from."""

    gallery: Pictures
    queries: Pictures
    source: str


def world_views(gallery: int = GALLERY, queries: int = QUERIES) -> ParityViews:
    """One procedural landscape at two dates: tiles of the first, views of the second between
    the tiles. The same on every machine."""
    side = int(np.ceil(np.sqrt(gallery)))
    side_px = PICTURE_PX + STEP_PX * side
    size_m = side_px * WORLD_GROUND_SIZE_M
    landscape = Landscape(WORLD_SEED, size_m)
    rng = np.random.default_rng(WORLD_SEED)
    dates = [
        render_ortho(
            landscape, random_epoch(rng), size_m / 2, size_m / 2, side_px, side_px,
            WORLD_GROUND_SIZE_M,
        )[0]
        for _ in range(2)
    ]  # fmt: skip
    corners = [(r * STEP_PX, c * STEP_PX) for r in range(side) for c in range(side)][:gallery]
    between = rng.integers(0, side_px - PICTURE_PX, (queries, 2))
    return ParityViews(
        _cuts(dates[0], corners),
        _cuts(dates[1], [(int(r), int(c)) for r, c in between]),
        "procedural world",
    )


def views_of(path: Path | None, gallery: int = GALLERY, queries: int = QUERIES) -> ParityViews:
    """Of a map pack or a folder of photographs, whichever `path` is; None: of the world.

    Raises InputError as the two do, and when fewer than the least number of tiles are wanted.
    """
    if gallery < LEAST_TILES:
        raise InputError(f"{gallery} pictures are too few; give at least {LEAST_TILES}")
    if path is None:
        return world_views(gallery, queries)
    read = map_views if (path / MANIFEST_NAME).is_file() else folder_views
    return read(path, gallery, queries)


def map_views(path: Path, gallery: int = GALLERY, queries: int = QUERIES) -> ParityViews:
    """Evenly picked tiles of a map pack's finest level; the views lie half a tile aside.

    Raises InputError: not a pack, or too little ground in it.
    """
    pack = MapPack.open(path)
    level = max(pack.levels)
    table = pack.tiles(level)
    picked = np.unique(np.linspace(0, len(table.cols) - 1, gallery).astype(int))
    tiles = [pack.tile_picture(table.tile_id(int(i))) for i in picked]
    origins = [table.tile_id(int(i)).origin_px for i in picked[:: max(1, len(picked) // queries)]]
    half = PICTURE_PX // 2
    views = [pack.picture(level, x + half, y + half, PICTURE_PX, PICTURE_PX) for x, y in origins]
    return _enough(tiles, views[:queries], f"map pack {path.name}")


def folder_views(path: Path, gallery: int = GALLERY, queries: int = QUERIES) -> ParityViews:
    """Squares out of the photographs of a folder, half a picture high: side by side for the
    gallery, in the middle for the queries.

    Raises InputError: no such folder, no picture in it, one that can't be decoded.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give a folder of photographs or a map pack")
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    tiles: list[Pictures] = []
    views: list[Pictures] = []
    for file in files:
        photo = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if photo is None:
            raise InputError(f"{file}: cannot be decoded; remove it or get it again")
        scale = 2 * PICTURE_PX / min(photo.shape[:2])
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        h, w = (side // 2 for side in small.shape[:2])
        corners = [(0, 0), (0, w), (h, 0), (h, w)]
        inside = [(min(r, small.shape[0] - PICTURE_PX), min(c, small.shape[1] - PICTURE_PX))
                  for r, c in corners]  # fmt: skip
        tiles += list(_cuts(np.asarray(small, np.uint8), inside))
        views.append(_cuts(np.asarray(small, np.uint8), [(h // 2, w // 2)])[0])
        if len(tiles) >= gallery and len(views) >= queries:
            break
    return _enough(tiles[:gallery], views[:queries], f"photographs of {path.name}")


def hard_pictures() -> Pictures:
    """Black, white, noise, and saturated (every channel 0 or 255): (4,256,256,3)."""
    rng = np.random.default_rng(0)
    shape = (PICTURE_PX, PICTURE_PX, 3)
    noise = rng.integers(0, 256, shape, dtype=np.uint8)
    blocks = rng.integers(0, 2, (16, 16, 3), dtype=np.uint8) * np.uint8(255)
    saturated = blocks.repeat(PICTURE_PX // 16, 0).repeat(PICTURE_PX // 16, 1)
    return np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise, saturated])


def _cuts(picture: Pictures, corners: list[tuple[int, int]]) -> Pictures:
    """Squares of PICTURE_PX with the given upper left corners (row, column)."""
    return np.stack([picture[r : r + PICTURE_PX, c : c + PICTURE_PX] for r, c in corners])


def _enough(tiles: list[Pictures], views: list[Pictures], source: str) -> ParityViews:
    full = [[p for p in group if (p.max(2) > 0).mean() >= MIN_GROUND] for group in (tiles, views)]
    if len(full[0]) < LEAST_TILES or not full[1]:
        raise InputError(
            f"{source}: {len(full[0])} tiles and {len(full[1])} views with enough ground; "
            f"parity needs at least {LEAST_TILES} and 1, give a larger set"
        )
    return ParityViews(np.stack(full[0]), np.stack(full[1]), source)
