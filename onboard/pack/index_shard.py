"""A shard of the index in memory: its tiles' codes and places, two bytes a tile for the latter.

On the disk that is one array, (N, C + 2) uint8: the code, then the tile's row and column within
its cell; tiles are sorted by row, then column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.pack.compact_codes import code_numbers
from onboard.pack.pack_manifest import Shard
from onboard.pack.pack_stamps import HashedFiles
from onboard.pack.row_file import Check, RowFile, no_check
from onboard.pack.tile_index import CELL_STEPS, TileTable, unit_length

PLACE_BYTES = 2
PIECE_ROWS = 4096

Positions = NDArray[np.intp]
Steps = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class OpenShard:
    """codes: (N, C) uint8. places: (N,) uint16, row * 256 + column within the cell, ascending."""

    shard: Shard
    codes: NDArray[np.uint8]
    places: NDArray[np.uint16]

    @property
    def size_bytes(self) -> int:
        return self.codes.nbytes + self.places.nbytes

    def tiles(self, positions: Positions) -> tuple[Steps, Steps]:
        """(cols, rows) of the tiles at these positions."""
        places = self.places[positions].astype(np.int32)
        cols = self.shard.cell_col * CELL_STEPS + places % CELL_STEPS
        rows = self.shard.cell_row * CELL_STEPS + places // CELL_STEPS
        return cols, rows

    def window(self, col0: int, col1: int, row0: int, row1: int) -> Positions:
        """Positions of the tiles with col0 <= col <= col1 and row0 <= row <= row1."""
        left, top = self.shard.cell_col * CELL_STEPS, self.shard.cell_row * CELL_STEPS
        first, last = max(row0 - top, 0), min(row1 - top, CELL_STEPS - 1)
        if first > last:
            return np.zeros(0, np.intp)
        edges = np.array([first * CELL_STEPS, last * CELL_STEPS + CELL_STEPS - 1], np.uint16)
        begin = int(np.searchsorted(self.places, edges[0]))
        end = int(np.searchsorted(self.places, edges[1], side="right"))
        cols = self.places[begin:end] % np.uint16(CELL_STEPS)
        if col0 <= left and col1 >= left + CELL_STEPS - 1:
            return np.arange(begin, end)
        inside = (cols >= max(col0 - left, 0)) & (cols <= min(col1 - left, CELL_STEPS - 1))
        found: Positions = begin + np.flatnonzero(inside)
        return found if col1 >= left else found[:0]


def packed_codes(codes: NDArray[np.uint8], cols: Steps, rows: Steps) -> NDArray[np.uint8]:
    """The array of a shard's file, of its tiles' codes, columns and rows."""
    within = np.stack([rows % CELL_STEPS, cols % CELL_STEPS], axis=1).astype(np.uint8)
    return np.concatenate([codes, within], axis=1)


def read_shard(pack: Path, shard: Shard, dim: int, hashed: HashedFiles | None = None) -> OpenShard:
    """dim: of the full descriptors. Raises InputError when the file is not what the manifest
    says, or was written since it was hashed."""
    numbers, file = code_numbers(dim), open_codes(pack, shard, dim, hashed)
    codes = np.empty((shard.count, numbers), np.uint8)
    places = np.empty(shard.count, np.uint16)
    for begin in range(0, shard.count, PIECE_ROWS):  # what is read for a moment stays in the heap
        end = min(begin + PIECE_ROWS, shard.count)
        piece = file.rows(np.arange(begin, end))
        codes[begin:end] = piece[:, :numbers]
        rows, cols = piece[:, numbers].astype(np.uint16), piece[:, numbers + 1]
        places[begin:end] = rows * np.uint16(CELL_STEPS) + cols
    file.close()
    if (places[1:] <= places[:-1]).any():
        path = pack / shard.codes
        raise InputError(f"{path}: its tiles are not in order; build the pack again")
    return OpenShard(shard, codes, places)


def open_codes(pack: Path, shard: Shard, dim: int, hashed: HashedFiles | None = None) -> RowFile:
    """The packed codes. Raises InputError as `RowFile` does."""
    shape = shard.count, code_numbers(dim) + PLACE_BYTES
    return RowFile(pack / shard.codes, "|u1", shape, _check_of(hashed, shard.codes))


def open_descriptors(
    pack: Path, shard: Shard, dim: int, hashed: HashedFiles | None = None
) -> RowFile:
    """The (N, D) float16 descriptors. Raises InputError as `RowFile` does."""
    name, shape = shard.descriptors, (shard.count, dim)
    return RowFile(pack / name, "<f2", shape, _check_of(hashed, name))


def _check_of(hashed: HashedFiles | None, name: str) -> Check:
    return no_check if hashed is None else partial(hashed.check, name)


def read_table(pack: Path, shard: Shard, dim: int) -> TileTable:
    """The shard's tiles with all their numbers: 2 kB a tile, for work on the ground. Raises
    InputError when a file is not what the manifest says."""
    opened = read_shard(pack, shard, dim)
    everything = np.arange(shard.count)
    descriptors = unit_length(open_descriptors(pack, shard, dim).rows(everything))
    return TileTable(shard.level, *opened.tiles(everything), descriptors)
