"""The descriptors of a level's tiles: the exact table, and hnswlib shards for the whole pack.

A shard is two files: `.npz` with cols, rows (int32) and descriptors (float16), and `.hnsw`
with the graph over the same descriptors, whose labels are positions in the `.npz`.
hnswlib's file carries neither dimension nor ef, and loading with the wrong dimension raises
nothing: both come from the manifest, and the count is compared after loading.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import hnswlib
import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.messages import TileId

METRIC = "ip"  # inner product of unit vectors is cosine similarity
HNSW_SEED = 100


@dataclass(frozen=True)
class IndexParameters:
    """What hnswlib needs at build and load. ef is the search's, 256 measured at recall 1.0
    over 500k clustered descriptors."""

    metric: str = METRIC
    m: int = 16
    ef_construction: int = 100
    ef: int = 256
    seed: int = HNSW_SEED


@dataclass(frozen=True)
class TileTable:
    """All indexed tiles of a level, sorted by row, then column.

    cols, rows: (N,) int32. descriptors: (N, D) float32 of unit length.
    """

    level: int
    cols: NDArray[np.int32]
    rows: NDArray[np.int32]
    descriptors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.cols)

    def tile_id(self, i: int) -> TileId:
        return TileId(self.level, int(self.cols[i]), int(self.rows[i]))

    def window(self, col0: int, col1: int, row0: int, row1: int) -> NDArray[np.intp]:
        """Positions of the tiles with col0 <= col <= col1 and row0 <= row <= row1."""
        lo, hi = np.searchsorted(self.rows, [row0, row1 + 1])
        cols = self.cols[lo:hi]
        positions: NDArray[np.intp] = lo + np.flatnonzero((cols >= col0) & (cols <= col1))
        return positions


def table_of(
    level: int,
    cols: NDArray[np.int32],
    rows: NDArray[np.int32],
    descriptors: NDArray[np.float32],
) -> TileTable:
    """Sorts the tiles into a table."""
    order = np.lexsort((cols, rows))
    return TileTable(level, cols[order], rows[order], descriptors[order])


def unit_length(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """(N, D) float32, each row of length 1 (a zero row stays zero)."""
    wide = vectors.astype(np.float32)
    length = np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
    wide /= np.maximum(length, np.float32(1e-12))
    return wide


def read_tiles(path: Path, level: int, dim: int, count: int | None = None) -> TileTable:
    """A shard's `.npz`; with a count, it must hold as many tiles.

    Raises InputError when it is not what the manifest says.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            cols, rows, short = held["cols"], held["rows"], held["descriptors"]
    except (OSError, ValueError, KeyError, EOFError) as e:
        raise InputError(f"{path}: not a shard's tile list ({e}); build the pack again") from e
    count = len(cols) if count is None else count
    if short.shape != (count, dim) or cols.shape != (count,) or rows.shape != (count,):
        raise InputError(
            f"{path}: holds {len(cols)} tiles of {short.shape[1:]} numbers, the manifest says "
            f"{count} of {dim}; build the pack again"
        )
    return TileTable(level, cols.astype(np.int32), rows.astype(np.int32), unit_length(short))


def build_graph(descriptors: NDArray[np.float32], parameters: IndexParameters, path: Path) -> None:
    """Writes the `.hnsw` over (N, D) unit vectors, labels 0..N-1; same input, same bytes.

    Raises OSError (no space) when the file is short: hnswlib does not look.
    """
    count, dim = descriptors.shape
    index = hnswlib.Index(space=parameters.metric, dim=dim)
    index.init_index(
        max_elements=count,
        M=parameters.m,
        ef_construction=parameters.ef_construction,
        random_seed=parameters.seed,
    )
    index.add_items(descriptors, np.arange(count), num_threads=1)  # one thread: same bytes
    index.save_index(str(path))
    if path.stat().st_size != index.index_file_size():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class Graph:
    """One loaded `.hnsw`."""

    def __init__(self, path: Path, tiles: TileTable, parameters: IndexParameters) -> None:
        """Raises InputError when the file cannot be loaded or counts otherwise than `tiles`."""
        self.tiles = tiles
        self._index = hnswlib.Index(space=parameters.metric, dim=tiles.descriptors.shape[1])
        try:
            self._index.load_index(str(path))
        except RuntimeError as e:
            raise InputError(f"{path}: not an hnswlib index ({e}); build the pack again") from e
        if self._index.get_current_count() != len(tiles):
            raise InputError(
                f"{path}: holds {self._index.get_current_count()} entries for {len(tiles)} "
                "tiles; build the pack again"
            )
        self._ef = parameters.ef
        self._index.set_num_threads(1)

    def nearest(
        self, descriptor: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """(positions in `tiles`, cosine distances) of the nearest, best first."""
        k = min(k, len(self.tiles))
        self._index.set_ef(max(self._ef, 2 * k))  # load_index leaves it at 10
        labels, distances = self._index.knn_query(descriptor[None, :], k=k)
        return labels[0].astype(np.intp), distances[0]
