"""A pack out of a store's cells: all of them, or what touches an area.

The bytes depend on the cells only, never on who made them or in what order. A pack that was
begun goes on where it stopped, as long as the cells, and what is said of them, are the same.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from maps.cells.cell import Cell
from maps.cells.cell import in_order as cells_in_order
from maps.cells.describe import described_tiles
from maps.cells.selection import Selection
from maps.cells.store import TILES_NAME, CellMark, CellStore, Step
from maps.cells.tile_files import write_imagery, write_terrain
from maps.cells.update import finished_header
from maps.in_order import core_count, in_order
from maps.partial_pack import sync
from maps.shards import SHARD_STEPS, shard_there, write_shard
from onboard.errors import InputError
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    TERRAIN_NAME,
    Manifest,
    Shard,
    manifest_text,
)
from onboard.pack.tile_index import IndexParameters
from onboard.whole_file import write_whole

BEGUN_NAME = "cells.sha256"  # in the growing pack: of which cells it is
COPIES_NAME = "copies"  # in the growing pack: of a distant store's files


def assemble(
    store: CellStore,
    folder: Path,
    name: str,
    area: BaseGeometry | None = None,
    levels: tuple[int, ...] | None = None,
) -> Manifest:
    """Writes the pack called name into folder, an empty one or one where it was begun. area:
    WGS84 longitude, latitude; only tiles that touch it. levels: some of the store's.

    Raises InputError: no finished store, a damaged cell, nothing in the area. OSError and
    sqlite3 errors pass through.
    """
    header = finished_header(store)
    wanted = header.levels if levels is None else levels
    selection = Selection(area, wanted)
    cells = cells_in_order([c for c in store.cells() if selection.cell(c)])
    digest = store.digest(cells)
    _take_up(folder, f"{digest} {selection.text()} {header}")
    copies = folder / COPIES_NAME  # not in the store, which may be read-only
    bounds = write_imagery(folder / IMAGERY_NAME, store, cells, selection, header, copies)
    terrain = header.terrain
    if terrain is not None and not write_terrain(
        folder / TERRAIN_NAME, store, cells, selection, terrain, copies
    ):
        print("terrain left out: no height is known in the area", file=sys.stderr)
        terrain = None
    shards = _write_shards(folder, store, cells, selection, copies)
    shutil.rmtree(copies, ignore_errors=True)
    if store.header() != header or store.digest(cells) != digest:
        raise InputError(
            f"{store.url}: was changed by a build while the pack was cut; wait for its end and "
            "give the command again"
        )
    if not shards:
        raise InputError("the imagery has no tile with texture and few holes; give more imagery")
    for level in sorted(set(wanted) - {s.level for s in shards}):
        print(f"level {level} left out: no tile of it is half covered", file=sys.stderr)
    paths = [IMAGERY_NAME] + ([TERRAIN_NAME] if terrain is not None else [])
    paths += [path for s in shards for path in s.paths]
    for path in paths:
        sync(folder / path)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=name,
        model=header.model,
        bounds=bounds,
        levels=tuple(sorted({s.level for s in shards})),
        imagery=header.imagery,
        index=IndexParameters(),
        shards=tuple(shards),
        files=tuple(describe_file(folder, path) for path in paths),
        terrain=terrain,
    )
    (folder / BEGUN_NAME).unlink()
    write_whole(folder / MANIFEST_NAME, manifest_text(manifest))
    return manifest


def _take_up(folder: Path, made_of: str) -> None:
    """Clears what was begun from other cells."""
    begun = folder / BEGUN_NAME
    if not begun.exists() or begun.read_text(encoding="utf-8") != made_of:
        for name in (IMAGERY_NAME, TERRAIN_NAME, BEGUN_NAME):
            (folder / name).unlink(missing_ok=True)
        for name in ("index", COPIES_NAME):
            shutil.rmtree(folder / name, ignore_errors=True)
        write_whole(begun, made_of)


def _write_shards(
    folder: Path, store: CellStore, cells: list[Cell], selection: Selection, scratch: Path
) -> list[Shard]:
    """By level, then row, then column; some at a time, so that memory holds only their tiles."""
    marks = {cell: mark for cell in cells if (mark := store.mark(cell, Step.DESCRIBE)) is not None}
    places: dict[tuple[int, int, int], list[Cell]] = {}
    for cell, mark in marks.items():
        for level, _ in mark.counts:
            if level in selection.levels:
                for col, row in _shards_under(cell, level):
                    places.setdefault((level, row, col), []).append(cell)

    def write(place: tuple[int, int, int]) -> Shard:
        level, row, col = place
        there = shard_there(folder, level, col, row)
        if there is not None:
            return there
        tiles = _tiles_of(store, place, ((c, marks[c]) for c in places[place]), selection, scratch)
        return write_shard(folder, level, col, row, *tiles)

    (folder / "index").mkdir(exist_ok=True)
    workers = core_count()
    with ThreadPoolExecutor(workers) as pool:
        return [s for s in in_order(pool, write, sorted(places), workers) if s.count]


def _shards_under(cell: Cell, level: int) -> list[tuple[int, int]]:
    """(col, row) of the shards that the cell's half-step tiles lie in."""
    x0, y0, x1, y1 = cell.tiles(level)
    cols = range(2 * x0 // SHARD_STEPS, (2 * x1 - 1) // SHARD_STEPS + 1)
    rows = range(2 * y0 // SHARD_STEPS, (2 * y1 - 1) // SHARD_STEPS + 1)
    return [(col, row) for row in rows for col in cols]


def _tiles_of(
    store: CellStore,
    place: tuple[int, int, int],
    held: Iterable[tuple[Cell, CellMark]],
    selection: Selection,
    scratch: Path,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float16]]:
    """(cols, rows, descriptors) of a shard, sorted by row, then column."""
    level, shard_row, shard_col = place
    parts = []
    for cell, mark in held:
        file = mark.file(TILES_NAME)
        assert file is not None  # it counts tiles
        found = described_tiles(store.local(cell, file, scratch), level)
        assert found is not None
        cols, rows, _ = found
        here = (cols // SHARD_STEPS == shard_col) & (rows // SHARD_STEPS == shard_row)
        here &= selection.half_steps(level, cols, rows)
        parts.append([column[here] for column in found])
    cols, rows, descriptors = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((cols, rows))
    return cols[order], rows[order], descriptors[order]
