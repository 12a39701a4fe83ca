"""Searches a pack's index: a shortlist by the compact codes, ordered by the full descriptors.

Ties are broken by row, then column, and nothing depends on what is in memory or on threads: the
same pack and descriptor give the same tiles.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from onboard.pack.compact_codes import (
    code_distances,
    code_numbers,
    code_vectors,
    encode,
    nearest_codes,
)
from onboard.pack.index_shard import OpenShard
from onboard.pack.pack_manifest import Shard
from onboard.pack.shard_keeper import ShardKeeper
from onboard.pack.tile_index import unit_length

# Of 256 numbers a code holds 64: among so many of a full shard lie 0.997 of the 10 nearest, and
# among so many of 600,000 tiles as many (real descriptors and more drawn near them).
SHARD_SHORTLIST = 200
SHORTLIST = 400
ROUNDED_SHORTLIST = 64  # where a code holds all numbers, rounding alone changes the order
PIECE_ROWS = 8192  # of full descriptors compared at a time

Ints = NDArray[np.int32]
Positions = NDArray[np.intp]
Distances = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Found:
    """Tiles, a column each: number of the shard in a list, position in it, tile column and row,
    cosine distance."""

    shard: Ints
    position: Positions
    col: Ints
    row: Ints
    distance: Distances

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, which: NDArray[np.intp]) -> Found:
        return Found(*(getattr(self, f.name)[which] for f in fields(self)))


def nearest(index: ShardKeeper, level: int, descriptor: Distances, k: int) -> Found:
    """The k tiles of the level nearest to a unit descriptor (D,), best first.

    Raises InputError: no such level, a shard that can't be read.
    """
    shards = index.of_level(level)
    code = encode(descriptor[None])[0]
    of_shard, of_level = (max(k, n) for n in shortlists(len(descriptor)))
    vector = code_vectors(descriptor[None])[0].astype(np.float32)
    graphs = index.uses_graphs(level)
    number = {shard: n for n, shard in enumerate(shards)}

    def search(shard: Shard) -> Found:
        opened = index.open(shard)
        positions, distances = np.zeros(0, np.intp), np.zeros(0, np.float32)
        if shard.exact:
            everything = np.arange(shard.count)
            distances = full_distances(index, shard, everything, descriptor)
            positions = smallest(distances, of_shard)
            distances = distances[positions]
        elif graphs and shard.graph is not None:
            positions, distances = index.graph(shard).nearest(vector, of_shard)
        if not len(positions):  # no graph, or one whose links led to too few
            positions, distances = nearest_codes(opened.codes, code, of_shard)
        return found_in(number[shard], opened, positions, distances)

    shortlist = _best(joined(index.for_each(shards, search)), of_level)
    return _best(with_full_distances(index, shards, shortlist, descriptor), k)


def shortlists(dim: int) -> tuple[int, int]:
    """(of a shard, of several): how many tiles are compared by all their numbers."""
    rounded = code_numbers(dim) == dim
    return (ROUNDED_SHORTLIST,) * 2 if rounded else (SHARD_SHORTLIST, SHORTLIST)


def estimated(
    index: ShardKeeper, shards: tuple[Shard, ...], tiles: Found, descriptor: Distances
) -> Distances:
    """(N,) distances to tiles of these shards by their codes, or by the full descriptors where
    the codes miss too much."""
    code, out = encode(descriptor[None])[0], np.empty(len(tiles), np.float32)
    for number, at in _by_shard(tiles):
        shard, positions = shards[number], tiles.position[at]
        if shard.exact:
            out[at] = full_distances(index, shard, positions, descriptor)
        else:
            out[at] = code_distances(index.open(shard).codes[positions], code)
    return out


def with_full_distances(
    index: ShardKeeper, shards: tuple[Shard, ...], tiles: Found, descriptor: Distances
) -> Found:
    """The same tiles with the distances of their full descriptors."""
    out = np.empty(len(tiles), np.float32)
    for number, at in _by_shard(tiles):
        out[at] = full_distances(index, shards[number], tiles.position[at], descriptor)
    return Found(tiles.shard, tiles.position, tiles.col, tiles.row, out)


def full_distances(
    index: ShardKeeper, shard: Shard, positions: Positions, descriptor: Distances
) -> Distances:
    """(N,) cosine distances of the tiles at these positions, read from the disk."""
    file, out = index.descriptors(shard), np.empty(len(positions), np.float32)
    order = np.argsort(positions, kind="stable")
    for begin in range(0, len(order), PIECE_ROWS):
        piece = order[begin : begin + PIECE_ROWS]
        read = unit_length(file.rows(positions[piece]))
        # Row by row in one order, which BLAS doesn't promise: equal tiles have equal distances.
        out[piece] = 1.0 - np.einsum("nd,d->n", read, descriptor)
    out[np.isnan(out)] = np.inf  # a descriptor that is none is near nothing
    return out


def found_in(
    number: int, opened: OpenShard, positions: Positions, distances: Distances | None = None
) -> Found:
    """The tiles at these positions of a shard, the number-th of its list."""
    cols, rows = opened.tiles(positions)
    if distances is None:
        distances = np.zeros(len(positions), np.float32)
    return Found(np.full(len(positions), number, np.int32), positions, cols, rows, distances)


def joined(parts: list[Found]) -> Found:
    """One after the other. parts: at least one."""
    return Found(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Found)))


def smallest(costs: NDArray[np.floating], k: int) -> Positions:
    """Positions of the k smallest, smallest first, ties by position."""
    part: Positions = np.arange(len(costs))
    if k < len(costs):
        bound = np.partition(costs, k - 1)[k - 1]
        part = np.flatnonzero(costs <= bound)
    return part[np.argsort(costs[part], kind="stable")][:k]


def _best(tiles: Found, k: int) -> Found:
    return tiles.take(np.lexsort((tiles.col, tiles.row, tiles.distance))[:k])


def _by_shard(tiles: Found) -> list[tuple[int, NDArray[np.intp]]]:
    present = np.flatnonzero(np.bincount(tiles.shard))  # quicker than np.unique, which sorts
    return [(int(n), np.flatnonzero(tiles.shard == n)) for n in present]
