"""Map packs of any number of tiles for the scale study: descriptors without pictures.

Real ones are few, so more are drawn near them: a real descriptor plus SPREAD times the difference
of two others, which stays among the directions that real ones take. Every second tile of a row
is such a draw, those between are the middle of their neighbours plus OWN times a difference, for
overlapping tiles look alike. The study prints both neighbourhoods' similarities, real and drawn.
The hard case is random: nothing is near anything.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.pixels import encode_tile
from maps.shards import shard_there, write_shard
from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_STRIDE_PX
from onboard.pack.map_pack import MapPack
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    Bounds,
    ImagerySource,
    Manifest,
    PackModel,
    manifest_text,
)
from onboard.pack.tile_index import CELL_STEPS, IndexParameters, unit_length
from onboard.whole_file import write_whole

LEVEL = 18  # 150 m tiles at 11 degrees of latitude
CELL_COL, CELL_ROW = 1200, 960  # of the upper left corner
SPREAD = 0.5
OWN = 0.3
SEED = 1
ROWS_AT_ONCE = 64  # of tiles, drawn at a time

Vectors = NDArray[np.float32]


def real_descriptors(packs: list[Path]) -> Vectors:
    """(N, D) of all levels of these packs, one after the other. Raises InputError."""
    opened = [MapPack.open(path) for path in packs]
    return np.concatenate([p.tiles(level).descriptors for p in opened for level in p.levels])


def drawn(rows: int, cols: int, real: Vectors, rng: np.random.Generator) -> Vectors:
    """(rows * cols, D), by row, then column."""
    draws = (cols + 1) // 2 + 1
    base, plus, minus = (real[rng.integers(len(real), size=(rows, draws))] for _ in range(3))
    fresh = base + SPREAD * (plus - minus)
    out = np.empty((rows, cols, real.shape[1]), np.float32)
    out[:, ::2] = _unit(fresh[:, : (cols + 1) // 2])
    plus, minus = (real[rng.integers(len(real), size=(rows, cols // 2))] for _ in range(2))
    between = _unit(fresh[:, :-1]) + _unit(fresh[:, 1:])
    out[:, 1::2] = _unit(_unit(between[:, : cols // 2]) + OWN * (plus - minus))
    return out.reshape(rows * cols, -1)


def random_ones(rows: int, cols: int, dim: int, rng: np.random.Generator) -> Vectors:
    """(rows * cols, dim)."""
    return unit_length(rng.standard_normal((rows * cols, dim), np.float32))


def scale_pack(folder: Path, tiles: int, dim: int, real: Vectors | None) -> Path:
    """A pack of about so many tiles, a square; real None: random ones. One that is there already
    is kept, one that was begun goes on."""
    if (folder / MANIFEST_NAME).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    side = math.isqrt(tiles)
    shards = []
    for cell_row in range(CELL_ROW, CELL_ROW + -(-side // CELL_STEPS)):
        high = min(CELL_STEPS, side - (cell_row - CELL_ROW) * CELL_STEPS)
        band = _band(high, side, dim, real, np.random.default_rng([SEED, cell_row]))
        for cell_col in range(CELL_COL, CELL_COL + -(-side // CELL_STEPS)):
            left = (cell_col - CELL_COL) * CELL_STEPS
            cut = band[:, left : left + CELL_STEPS]
            rows, cols = np.divmod(np.arange(high * cut.shape[1], dtype=np.int32), cut.shape[1])
            cols, rows = cols + cell_col * CELL_STEPS, rows + cell_row * CELL_STEPS
            tiles_here = (cols.astype(np.int32), rows.astype(np.int32), cut.reshape(-1, dim))
            place = (LEVEL, cell_col, cell_row)
            shards.append(shard_there(folder, *place) or write_shard(folder, *place, *tiles_here))
    (folder / IMAGERY_NAME).unlink(missing_ok=True)
    _write_imagery(folder / IMAGERY_NAME)
    names = [IMAGERY_NAME, *(path for shard in shards for path in shard.paths)]
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=folder.name,
        model=PackModel("scale-study", "0" * 64, dim),
        bounds=_bounds(side),
        levels=(LEVEL,),
        imagery=(ImagerySource("none", "unknown", "none", "none"),),
        index=IndexParameters(),
        shards=tuple(shards),
        files=tuple(describe_file(folder, name) for name in names),
    )
    write_whole(folder / MANIFEST_NAME, manifest_text(manifest))
    return folder


def _band(
    high: int, side: int, dim: int, real: Vectors | None, rng: np.random.Generator
) -> NDArray[np.float16]:
    """(high, side, dim): the tiles of one row of cells."""
    parts = []
    for start in range(0, high, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, high - start)
        found = random_ones(rows, side, dim, rng) if real is None else drawn(rows, side, real, rng)
        parts.append(unit_length(found[:, :dim]).astype(np.float16).reshape(rows, side, dim))
    return np.concatenate(parts)


def _bounds(side: int) -> Bounds:
    x, y = (c * CELL_STEPS * TILE_STRIDE_PX for c in (CELL_COL, CELL_ROW))
    across = (side + 1) * TILE_STRIDE_PX
    north, west = pixel_to_latlon(x, y, LEVEL)
    south, east = pixel_to_latlon(x + across, y + across, LEVEL)
    return Bounds(float(south), float(west), float(north), float(east))


def _write_imagery(path: Path) -> None:
    writer = MBTilesWriter(path)
    grey = encode_tile(np.full((256, 256, 3), 90, np.uint8))
    assert grey is not None
    writer.put(LEVEL, CELL_COL * CELL_STEPS // 2, CELL_ROW * CELL_STEPS // 2, grey)
    writer.commit()
    writer.close()


def _unit(vectors: Vectors) -> Vectors:
    shape = vectors.shape
    return unit_length(vectors.reshape(-1, shape[-1])).reshape(shape)
