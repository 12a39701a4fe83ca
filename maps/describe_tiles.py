"""Cuts half-overlapping tiles out of the mosaic and describes them, cell by cell.

Batches are described in parallel, one core each, which measures 1.2 times faster than one
batch at a time on all cores; the calling thread cuts the next ones. Every chunk of
described tiles is a file, so that a build that was killed loses at most one chunk; a
finished cell becomes a shard.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.in_order import in_order
from maps.pixels import coverage, has_texture
from onboard.describe import Describer
from onboard.imagery import Imagery
from onboard.messages import TILE_PX, TILE_STRIDE_PX, Picture, TileId
from onboard.tile_index import unit_length
from onboard.whole_file import write_whole

CELL_STEPS = 256  # half-tile steps to the side of a cell: at most 65,536 tiles a shard
CHUNK_TILES = 1024
BATCH_TILES = 4  # as fast as 16, and less to hold
LEAST_COVERAGE = 0.5  # share of a tile that must have imagery for it to be indexed

Position = tuple[int, int]


@dataclass(frozen=True)
class Cell:
    """The tiles (col, row) of one level and area cell that may be indexed, by row, then col."""

    level: int
    cell_col: int
    cell_row: int
    tiles: tuple[Position, ...]

    @property
    def name(self) -> str:
        return f"z{self.level}-{self.cell_col}-{self.cell_row}"


def cells_of(level: int, imagery_tiles: Sequence[Position]) -> list[Cell]:
    """All half-step tiles that touch the XYZ tiles (x, y) by half or more, in cells."""
    found: dict[Position, set[Position]] = {}
    for x, y in imagery_tiles:
        for col in range(2 * x - 1, 2 * x + 2):
            for row in range(2 * y - 1, 2 * y + 2):
                if col >= 0 and row >= 0:
                    cell = (col // CELL_STEPS, row // CELL_STEPS)
                    found.setdefault(cell, set()).add((col, row))
    return [
        Cell(level, *cell, tuple(sorted(found[cell], key=lambda t: (t[1], t[0]))))
        for cell in sorted(found, key=lambda c: (c[1], c[0]))
    ]


def describe_cell(
    cell: Cell,
    imagery: Imagery,
    describer: Describer,
    folder: Path,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float16]]:
    """(cols, rows, descriptors) of the cell's tiles that are not blank.

    describer: with one thread, it is called from several. folder keeps finished chunks.
    progress is called with the number of tiles dealt with. Raises InputError when the
    imagery is damaged.
    """
    folder.mkdir(exist_ok=True)
    parts = []
    for start in range(0, len(cell.tiles), CHUNK_TILES):
        tiles = cell.tiles[start : start + CHUNK_TILES]
        path = folder / f"{cell.name}-{start}.npz"
        if path.exists():
            progress(len(tiles))
        else:
            _describe_chunk(cell.level, tiles, imagery, describer, path, progress)
        with np.load(path) as held:
            parts.append((held["cols"], held["rows"], held["descriptors"]))
    cols, rows, descriptors = (np.concatenate(column) for column in zip(*parts, strict=True))
    return cols, rows, descriptors


def write_tiles(
    path: Path,
    cols: NDArray[np.int32],
    rows: NDArray[np.int32],
    descriptors: NDArray[np.float16],
) -> None:
    """A `.npz` that appears whole or not at all."""
    data = io.BytesIO()
    np.savez(data, cols=cols, rows=rows, descriptors=descriptors)
    write_whole(path, data.getvalue())


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def bare_rate(tiles: Sequence[TileId], imagery: Imagery, describer: Describer) -> float:
    """Tiles a second of the network alone, on pictures that are already cut."""
    pictures = np.stack([imagery.picture(t.level, *t.origin_px) for t in tiles])
    describer.descriptors(pictures[:BATCH_TILES])
    begin = time.perf_counter()
    for start in range(0, len(pictures), BATCH_TILES):
        describer.descriptors(pictures[start : start + BATCH_TILES])
    return len(pictures) / (time.perf_counter() - begin)


def _describe_chunk(
    level: int,
    tiles: Sequence[Position],
    imagery: Imagery,
    describer: Describer,
    path: Path,
    progress: Callable[[int], None],
) -> None:
    def work(batch: Batch) -> tuple[Batch, NDArray[np.float16]]:
        pictures = batch[2]
        described = describer.descriptors(pictures) if len(pictures) else no_descriptors
        return batch, unit_length(described).astype(np.float16)

    no_descriptors = np.zeros((0, describer.bundle.descriptor_dim), np.float32)
    kept: list[Position] = []
    parts = []
    workers = core_count()
    with ThreadPoolExecutor(workers) as pool:
        batches = _cut(level, tiles, imagery)
        for batch, descriptors in in_order(pool, work, batches, 2 * workers):
            looked_at, positions, _ = batch
            kept += positions
            parts.append(descriptors)
            progress(looked_at)
    at = np.array(kept, np.int32).reshape(-1, 2)
    write_tiles(path, at[:, 0], at[:, 1], np.concatenate(parts))


Batch = tuple[int, list[Position], NDArray[np.uint8]]


def _cut(level: int, tiles: Sequence[Position], imagery: Imagery) -> Iterator[Batch]:
    """Batches: (tiles looked at, positions of those that are not blank, their pictures)."""
    looked_at = 0
    positions: list[Position] = []
    pictures: list[Picture] = []
    for col, row in tiles:
        picture = imagery.picture(level, col * TILE_STRIDE_PX, row * TILE_STRIDE_PX)
        looked_at += 1
        if coverage(picture) >= LEAST_COVERAGE and has_texture(picture):
            positions.append((col, row))
            pictures.append(picture)
        if len(pictures) == BATCH_TILES:
            yield looked_at, positions, np.stack(pictures)
            looked_at, positions, pictures = 0, [], []
    last = np.stack(pictures) if pictures else np.zeros((0, TILE_PX, TILE_PX, 3), np.uint8)
    yield looked_at, positions, last
