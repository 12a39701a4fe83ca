"""What an index is made of: tiles with their descriptors, and the hnswlib graph over them.

A shard's graph holds the vectors that its codes were rounded from (`compact_codes`); its labels
are positions in the shard. hnswlib's file carries neither dimension nor ef, and loading with the
wrong dimension raises nothing: both come from the manifest.
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
from onboard.pack.hnsw_header import GraphShape, check_hnsw

METRIC = "ip"  # inner product of unit vectors is cosine similarity
HNSW_SEED = 100
CELL_STEPS = 256  # half-tile steps to the side of a shard's cell: at most 65,536 tiles
RECALL_NEAREST = 10
RECALL_GOAL = 0.99  # of the RECALL_NEAREST nearest; below it an index isn't used


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
    """Indexed tiles of a level with their full descriptors, sorted by row, then column.

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

    def __init__(self, path: Path, count: int, dim: int, parameters: IndexParameters) -> None:
        """Raises InputError when the file is not the graph of `count` vectors of dim numbers."""
        check_hnsw(path, GraphShape(count, dim, parameters.m, parameters.ef_construction))
        self._index = hnswlib.Index(space=parameters.metric, dim=dim)
        try:
            self._index.load_index(str(path))
        except RuntimeError as e:
            raise InputError(f"{path}: not an hnswlib index ({e}); build the pack again") from e
        self._count, self._ef = count, parameters.ef
        self._index.set_num_threads(1)

    def nearest(
        self, vector: NDArray[np.floating], k: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """(positions in the shard, cosine distances) of the k nearest to a unit vector, best
        first; not all of them are the nearest. None at all where the links lead to fewer than k:
        tiles that all look the same are linked to one another alone."""
        k = min(k, self._count)
        self._index.set_ef(max(self._ef, k))  # load_index leaves it at 10
        try:
            labels, distances = self._index.knn_query(vector[None, :], k=k)
        except RuntimeError:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        return labels[0].astype(np.intp), distances[0]
