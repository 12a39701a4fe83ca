"""A map pack of given descriptors, without imagery to look at and without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.pixels import encode_tile
from onboard.mbtiles import MBTilesWriter
from onboard.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    Bounds,
    ImagerySource,
    Manifest,
    PackModel,
    Shard,
    describe_file,
    manifest_text,
)
from onboard.tile_index import IndexParameters, TileTable, build_graph, unit_length

LEVEL = 18
COL0, ROW0 = 350_000, 210_000
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


def write_pack(folder: Path, shards: list[TileTable], ef: int = 256) -> Path:
    """A pack of these shards, all of one level, over one grey tile of imagery."""
    (folder / "index").mkdir(parents=True)
    imagery = MBTilesWriter(folder / IMAGERY_NAME)
    grey = encode_tile(np.full((256, 256, 3), 90, np.uint8))
    assert grey is not None
    imagery.put(LEVEL, COL0 // 2, ROW0 // 2, grey)
    imagery.commit()
    imagery.close()
    entries = []
    for number, tiles in enumerate(shards):
        name = f"index/z{LEVEL}-{number}-0"
        short = tiles.descriptors.astype(np.float16)
        np.savez(folder / f"{name}.npz", cols=tiles.cols, rows=tiles.rows, descriptors=short)
        build_graph(unit_length(short), IndexParameters(), folder / f"{name}.hnsw")
        entries.append(Shard(LEVEL, len(tiles), f"{name}.npz", f"{name}.hnsw"))
    names = [IMAGERY_NAME, *(p for s in entries for p in (s.tiles, s.graph))]
    manifest = Manifest(
        FORMAT_VERSION,
        MODEL,
        Bounds(-1.0, 60.0, 1.0, 61.0),
        (LEVEL,),
        (ImagerySource("hand-made", "unknown", "none", "none"),),
        IndexParameters(ef=ef),
        tuple(entries),
        tuple(describe_file(folder, name) for name in names),
    )
    (folder / MANIFEST_NAME).write_text(manifest_text(manifest))
    return folder
