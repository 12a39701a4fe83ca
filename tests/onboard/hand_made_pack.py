"""A map pack of given descriptors, without imagery to look at and without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.pixels import encode_tile
from maps.shards import write_shard
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
    Shard,
    manifest_text,
)
from onboard.pack.tile_index import CELL_STEPS, IndexParameters, TileTable, table_of, unit_length

LEVEL = 18
COL0, ROW0 = 350_198, 210_000  # ten columns left of a shard's border
MODEL = PackModel("hand-made", "0" * 64, 16)


def clustered(count: int, dim: int = 16, seed: int = 1) -> NDArray[np.float32]:
    """Unit vectors in clusters, as real descriptors are (purely random ones are not)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 20), dim))
    spread = centres[rng.integers(len(centres), size=count)] + 0.3 * rng.normal(size=(count, dim))
    return unit_length(spread)


def square_table(side: int, seed: int = 1) -> TileTable:
    """side x side tiles."""
    rows, cols = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
    return TileTable(LEVEL, cols + COL0, rows + ROW0, clustered(side * side, seed=seed))


def write_shards(folder: Path, tables: list[TileTable]) -> list[Shard]:
    """The tiles' shards, by level, cell row and cell column."""
    cols, rows = (np.concatenate([getattr(t, n) for t in tables]) for n in ("cols", "rows"))
    level = tables[0].level
    table = table_of(level, cols, rows, np.concatenate([t.descriptors for t in tables]))
    cells = np.stack([table.rows // CELL_STEPS, table.cols // CELL_STEPS], axis=1)
    shards = []
    for row, col in np.unique(cells, axis=0).tolist():
        here = (cells == (row, col)).all(axis=1)
        short = table.descriptors[here].astype(np.float16)
        shards.append(
            write_shard(folder, level, col, row, table.cols[here], table.rows[here], short)
        )
    return shards


def write_pack(
    folder: Path, tables: list[TileTable], ef: int = 256, sigma_m: float | None = None
) -> Path:
    """A pack of these tiles, all of one level, over one grey tile of imagery. sigma_m: the
    imagery's error, as said."""
    folder.mkdir(parents=True)
    imagery = MBTilesWriter(folder / IMAGERY_NAME)
    grey = encode_tile(np.full((256, 256, 3), 90, np.uint8))
    assert grey is not None
    imagery.put(LEVEL, COL0 // 2, ROW0 // 2, grey)
    imagery.commit()
    imagery.close()
    entries = write_shards(folder, tables)
    names = [IMAGERY_NAME, *(p for s in entries for p in s.paths)]
    manifest = Manifest(
        FORMAT_VERSION,
        folder.stem,
        replace(MODEL, descriptor_dim=tables[0].descriptors.shape[1]),
        Bounds(-1.0, 60.0, 1.0, 61.0),
        (LEVEL,),
        (ImagerySource("hand-made", "unknown", "none", "none", sigma_m),),
        IndexParameters(ef=ef),
        tuple(entries),
        tuple(describe_file(folder, name) for name in names),
    )
    (folder / MANIFEST_NAME).write_text(manifest_text(manifest))
    return folder
