"""Writes the index files of one level and area cell."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.recall import nearest_distances, recall, views_between
from onboard.errors import InputError
from onboard.pack.compact_codes import code_vectors, encode, nearest_codes
from onboard.pack.index_search import shortlists
from onboard.pack.index_shard import packed_codes
from onboard.pack.pack_manifest import Shard
from onboard.pack.tile_index import (
    CELL_STEPS,
    RECALL_GOAL,
    Graph,
    IndexParameters,
    build_graph,
    unit_length,
)
from onboard.whole_file import write_whole

SHARD_STEPS = CELL_STEPS
# A graph answers from here on in half the time of the codes, at 6 times their memory (measured).
GRAPH_TILES = 32_768
SAMPLE_TILES = 100  # queried per shard to see what its index misses
SEED = 1

Vectors = NDArray[np.float32]


def write_shard(
    folder: Path,
    level: int,
    cell_col: int,
    cell_row: int,
    cols: NDArray[np.int32],
    rows: NDArray[np.int32],
    descriptors: NDArray[np.float16],
) -> Shard:
    """folder: the growing pack. cols, rows: (N,) tile columns and rows within the cell, sorted by
    row, then column, each tile once. descriptors: (N, D), unit length. Writes nothing when N is
    0. The same input gives the same bytes; files appear whole or not at all. A graph that stands
    already is taken for this shard's. Raises InputError: a descriptor is no number. OSError
    passes through."""
    stem = _stem(level, cell_col, cell_row)
    if len(cols):
        if (cols // CELL_STEPS != cell_col).any() or (rows // CELL_STEPS != cell_row).any():
            raise ValueError(f"a tile lies outside the cell {cell_col}, {cell_row} of {level}")
        if (np.diff(rows.astype(np.int64) * (2 << level) + cols) <= 0).any():
            raise ValueError("tiles are not sorted by row, then column")
        if not np.isfinite(descriptors).all():
            raise InputError(
                f"a tile of level {level} has a descriptor that is no number; give another model "
                "or --backend"
            )
        (folder / stem).parent.mkdir(exist_ok=True)
        codes = encode(descriptors)
        if len(cols) >= GRAPH_TILES and not (folder / f"{stem}.hnsw").exists():
            _write_graph(folder / f"{stem}.hnsw", descriptors)
        write_whole(folder / f"{stem}.descriptors.npy", _npy(descriptors.astype("<f2")))
        write_whole(folder / f"{stem}.codes.npy", _npy(packed_codes(codes, cols, rows)))
    return _shard(folder, (level, cell_col, cell_row), descriptors)


def shard_there(folder: Path, level: int, cell_col: int, cell_row: int) -> Shard | None:
    """The shard that `write_shard` finished in an earlier run; None when it has to be made."""
    stem = _stem(level, cell_col, cell_row)
    if not (folder / f"{stem}.codes.npy").exists():  # written last
        return None
    descriptors = np.load(folder / f"{stem}.descriptors.npy")
    if len(descriptors) >= GRAPH_TILES and not (folder / f"{stem}.hnsw").exists():
        return None
    return _shard(folder, (level, cell_col, cell_row), descriptors)


def _shard(folder: Path, place: tuple[int, int, int], descriptors: NDArray[np.float16]) -> Shard:
    """With what its codes and its graph find of its own sample. A graph that misses too much
    goes."""
    stem, count = _stem(*place), len(descriptors)
    codes_path, descriptors_path = f"{stem}.codes.npy", f"{stem}.descriptors.npy"
    if not count:
        return Shard(*place, 0, codes_path, descriptors_path, 1.0)
    full, codes = unit_length(descriptors), encode(descriptors)
    first = np.random.default_rng(SEED).choice(count, min(SAMPLE_TILES, count), replace=False)
    queries = views_between(full, np.sort(first))
    exact = nearest_distances(queries, [full])

    def measured(shortlist: Callable[[Vectors], NDArray[np.intp]]) -> float:
        def search(query: Vectors) -> Vectors:
            found = full[shortlist(query)]
            return np.sort(1.0 - np.einsum("nd,d->n", found, query))

        return recall(queries, exact, search)

    listed, _ = shortlists(full.shape[1])
    of_codes = measured(lambda q: nearest_codes(codes, encode(q[None])[0], listed)[0])
    if count < GRAPH_TILES:
        return Shard(*place, count, codes_path, descriptors_path, of_codes)
    path = folder / f"{stem}.hnsw"
    graph = Graph(path, count, codes.shape[1], IndexParameters())
    of_graph = measured(lambda q: graph.nearest(code_vectors(q[None])[0], listed)[0])
    kept = of_graph >= RECALL_GOAL
    if not kept:
        path.unlink()
    graph_path = f"{stem}.hnsw" if kept else None
    return Shard(*place, count, codes_path, descriptors_path, of_codes, graph_path, of_graph)


def _write_graph(path: Path, descriptors: NDArray[np.float16]) -> None:
    partial = path.with_name(f"{path.name}.tmp")
    build_graph(code_vectors(descriptors).astype(np.float32), IndexParameters(), partial)
    partial.replace(path)


def _stem(level: int, cell_col: int, cell_row: int) -> str:
    return f"index/z{level}-{cell_col}-{cell_row}"


def _npy(array: NDArray[np.generic]) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()
