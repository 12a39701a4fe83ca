"""A pack of many tiles without the time that measuring its recall would take."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_STRIDE_PX
from onboard.pack.index_shard import packed_codes
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    Bounds,
    Manifest,
    PackModel,
    Shard,
    manifest_text,
)
from onboard.pack.tile_index import CELL_STEPS, IndexParameters

LEVEL = 18


def write_large_pack(folder: Path, tiles: int) -> Path:
    """Full cells in a row, 64 random numbers a tile."""
    (folder / "index").mkdir(parents=True)
    MBTilesWriter(folder / IMAGERY_NAME).close()
    rng = np.random.default_rng(1)
    rows, cols = np.divmod(np.arange(CELL_STEPS**2, dtype=np.int32), np.int32(CELL_STEPS))
    shards = []
    for cell in range(-(-tiles // CELL_STEPS**2)):
        codes = rng.integers(0, 256, (CELL_STEPS**2, 64)).astype(np.uint8)
        stem = f"index/z{LEVEL}-{1000 + cell}-800"
        np.save(folder / f"{stem}.codes.npy", packed_codes(codes, cols, rows))
        full = (codes.astype(np.float32) - 128.0) / 256.0
        np.save(folder / f"{stem}.descriptors.npy", full.astype("<f2"))
        names = (f"{stem}.codes.npy", f"{stem}.descriptors.npy")
        shards.append(Shard(LEVEL, 1000 + cell, 800, CELL_STEPS**2, *names, recall=1.0))
    edges = [c * CELL_STEPS * TILE_STRIDE_PX for c in (1000, 1000 + len(shards), 800, 801)]
    north, west = map(float, pixel_to_latlon(edges[0], edges[2], LEVEL))
    south, east = map(float, pixel_to_latlon(edges[1], edges[3], LEVEL))
    paths = [IMAGERY_NAME, *(path for s in shards for path in s.paths)]
    manifest = Manifest(
        FORMAT_VERSION,
        "large",
        PackModel("random", "0" * 64, 64),
        Bounds(south, west, north, east),
        (LEVEL,),
        (),
        IndexParameters(),
        tuple(shards),
        tuple(describe_file(folder, path) for path in paths),
    )
    (folder / MANIFEST_NAME).write_text(manifest_text(manifest))
    return folder
