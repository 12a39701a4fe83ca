"""Describes a cell's half-overlapping tiles: those whose upper left corner lies in it.

They reach over the cell's borders to the east, south and south-east by half a tile, so the
imagery of those neighbours must be laid. Batches are composed within a cell: its bytes do
not depend on who else is described at the time.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from maps.cells.cell import Cell, Position
from maps.cells.recipe import Opened, Recipe
from maps.cells.store import TILES_NAME, CellMark, CellStore, Step
from maps.pixels import coverage, has_texture
from onboard.describe import Describer
from onboard.errors import BackendError, InputError
from onboard.messages import TILE_PX, TILE_STRIDE_PX, Picture
from onboard.pack.imagery import Imagery
from onboard.pack.pack_manifest import IMAGERY_NAME, PackFile
from onboard.pack.tile_index import unit_length

DESCRIBE_FORMAT = 1  # to be raised when the same imagery gives other tiles than before
HALF_STEPS = 4  # half-step tiles for each XYZ tile
BATCH_TILES = 4  # as fast as 16, and less to hold
LEAST_COVERAGE = 0.5  # share of a tile that must have imagery for it to be indexed


@dataclass(frozen=True)
class DescribeTask:
    """imagery: files of the cell and of those neighbours that its tiles reach over. tiles: that
    may be described, to count progress."""

    cell: Cell
    key: str
    imagery: tuple[tuple[Cell, PackFile], ...]
    tiles: int


@dataclass(frozen=True)
class Batch:
    """Tiles of one level: half-step (col, row) of those worth indexing, their pictures
    (N,256,256,3), and how many were looked at to find them."""

    level: int
    tiles: tuple[Position, ...]
    pictures: NDArray[np.uint8]
    looked_at: int


@dataclass(frozen=True)
class Described:
    """A batch's tiles with their descriptors (N, D), unit length, float16."""

    level: int
    tiles: tuple[Position, ...]
    descriptors: NDArray[np.float16]


def describe_task(
    cell: Cell, recipe: Recipe, laid: Iterable[CellMark | None]
) -> DescribeTask | None:
    """laid: marks of the cells of `Cell.needed`, in that order. None when there is no imagery
    under the cell's tiles. What a neighbour has beyond their reach does not matter."""
    own, east, south, corner = laid
    own_file = None if own is None else own.file(IMAGERY_NAME)
    reached = (
        own_file.sha256 if own_file is not None else "",
        east.edges[0] if east is not None else "",
        south.edges[1] if south is not None else "",
        corner.edges[2] if corner is not None else "",
    )
    if not any(reached):
        return None
    made_of = {
        "format": DESCRIBE_FORMAT,
        "levels": recipe.levels,
        "model": recipe.model.sha256,
        "backend": recipe.backend.name,
        "imagery": reached,
    }
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    around = zip(cell.needed(), (own, east, south, corner), reached, strict=True)
    imagery = [
        (at, file)
        for at, mark, there in around
        if there and mark is not None and (file := mark.file(IMAGERY_NAME)) is not None
    ]
    return DescribeTask(cell, key, tuple(imagery), HALF_STEPS * own.count if own is not None else 0)


def describe_cell(task: DescribeTask, opened: Opened, store: CellStore) -> CellMark:
    """Describes the cell's tiles unless the store has them; needs the four cells' imagery.

    Raises InputError: imagery missing or damaged. OSError and sqlite3 errors pass through.
    """
    held = held_description(task, store)
    if held is not None:
        return held
    with store.scratch() as scratch:
        batches = batches_of(task, opened.recipe, store, scratch)
        done = [describe_batch(batch, opened.describer) for batch in batches]
    return save_description(task, done, store)


def held_description(task: DescribeTask, store: CellStore) -> CellMark | None:
    """What the store has of it, None when it is to be made."""
    return store.held(task.cell, Step.DESCRIBE, task.key)


def batches_of(
    task: DescribeTask, recipe: Recipe, store: CellStore, scratch: Path
) -> Iterator[Batch]:
    """The cell's tiles by level, row, column. scratch: for copies of a distant store's files."""
    around = _Around(task, store, scratch)
    for level in recipe.levels:
        positions = around.half_steps(level)
        yield from _cut(level, positions, around)
    around.close()


def describe_batch(batch: Batch, describer: Describer) -> Described:
    """For several threads at once, with a describer of one thread a call. Raises InputError: the
    backend failed; another one would describe otherwise."""
    if not batch.tiles:
        none = np.zeros((0, describer.bundle.descriptor_dim), np.float16)
        return Described(batch.level, (), none)
    try:
        vectors = unit_length(describer.descriptors(batch.pictures))
    except BackendError as e:
        raise InputError(
            f"{describer.network.runs_on} failed while tiles were described ({e}); check the GPU "
            "with nvidia-smi and give the same command again, it goes on from the finished "
            "cells; another --backend describes all of them anew"
        ) from e
    return Described(batch.level, batch.tiles, vectors.astype(np.float16))


def save_description(task: DescribeTask, done: list[Described], store: CellStore) -> CellMark:
    """done: all of the cell's batches, in order."""
    columns: dict[str, NDArray[np.generic]] = {}
    counts: dict[int, int] = {}
    for level in sorted({part.level for part in done if part.tiles}):
        parts = [part for part in done if part.level == level]
        at = np.array([tile for part in parts for tile in part.tiles], np.int32)
        columns[f"cols{level}"], columns[f"rows{level}"] = at[:, 0], at[:, 1]
        columns[f"descriptors{level}"] = np.concatenate([part.descriptors for part in parts])
        counts[level] = len(at)
    with store.scratch() as scratch:
        files = []
        if columns:
            files.append(scratch / TILES_NAME)
            data = io.BytesIO()
            np.savez(data, **columns)  # type: ignore[arg-type]
            files[0].write_bytes(data.getvalue())
        return store.put(task.cell, Step.DESCRIBE, task.key, files, counts)


def described_tiles(
    path: Path, level: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float16]] | None:
    """(cols, rows, descriptors) of a level from a cell's file, sorted by row, then column;
    None when it has none. Raises InputError when it is no such file."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if f"cols{level}" not in held:
                return None
            return held[f"cols{level}"], held[f"rows{level}"], held[f"descriptors{level}"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as e:
        raise InputError(
            f"{path}: not a cell's descriptors ({e}); remove the cell's folder and give the build "
            "command again"
        ) from e


class _Around:
    """The pixels of a cell and of its neighbours to the east and south."""

    def __init__(self, task: DescribeTask, store: CellStore, scratch: Path) -> None:
        self._cell = task.cell
        self._imagery: dict[Cell, Imagery] = {}
        for cell, file in task.imagery:
            self._imagery[cell] = Imagery(store.local(cell, file, scratch))

    def half_steps(self, level: int) -> list[Position]:
        """Tiles (col, row) of the cell that lie on imagery by half or more, by row, column."""
        x0, y0, x1, y1 = self._cell.tiles(level)
        found: set[Position] = set()
        for imagery in self._imagery.values():
            for x, y in imagery.tiles.positions(level):
                if x <= x1 and y <= y1:
                    found.update(
                        (col, row)
                        for col in range(max(2 * x - 1, 2 * x0), min(2 * x + 2, 2 * x1))
                        for row in range(max(2 * y - 1, 2 * y0), min(2 * y + 2, 2 * y1))
                    )
        return sorted(found, key=lambda t: (t[1], t[0]))

    def picture(self, level: int, x: int, y: int) -> Picture:
        """(256, 256, 3) BGR, its upper left corner at map pixel (x, y)."""
        out: Picture | None = None
        for cell, imagery in self._imagery.items():
            left, top, right, bottom = (TILE_PX * side for side in cell.tiles(level))
            x0, y0 = max(x, left), max(y, top)
            x1, y1 = min(x + TILE_PX, right), min(y + TILE_PX, bottom)
            if x0 >= x1 or y0 >= y1:
                continue
            part = imagery.picture(level, x0, y0, x1 - x0, y1 - y0)
            if part.shape[:2] == (TILE_PX, TILE_PX):
                return part
            out = np.zeros((TILE_PX, TILE_PX, 3), np.uint8) if out is None else out
            out[y0 - y : y1 - y, x0 - x : x1 - x] = part
        return np.zeros((TILE_PX, TILE_PX, 3), np.uint8) if out is None else out

    def close(self) -> None:
        for imagery in self._imagery.values():
            imagery.tiles.close()


def _cut(level: int, tiles: list[Position], around: _Around) -> Iterator[Batch]:
    looked_at = 0
    kept: list[Position] = []
    pictures: list[Picture] = []
    for col, row in tiles:
        picture = around.picture(level, col * TILE_STRIDE_PX, row * TILE_STRIDE_PX)
        looked_at += 1
        if coverage(picture) >= LEAST_COVERAGE and has_texture(picture):
            kept.append((col, row))
            pictures.append(picture)
        if len(kept) == BATCH_TILES:
            yield Batch(level, tuple(kept), np.stack(pictures), looked_at)
            looked_at, kept, pictures = 0, [], []
    last = np.stack(pictures) if pictures else np.zeros((0, TILE_PX, TILE_PX, 3), np.uint8)
    yield Batch(level, tuple(kept), last, looked_at)
