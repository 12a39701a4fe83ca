"""Lays the sources over one another into a cell's map tiles.

The finest level comes from the sources, later ones on top; each coarser level by area
averaging of the one above it. Terrain is `lay_terrain`'s.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maps.cells.cell import Cell, Position
from maps.cells.lay_terrain import lay_terrain, terrain_made_of
from maps.cells.recipe import Opened
from maps.cells.store import CellMark, CellStore, Step
from maps.pixels import blank_fill, encode_tile, mask_of, resized
from maps.plan import tile_range
from maps.sources.source import Source
from onboard.messages import TILE_PX, Picture
from onboard.pack.imagery import decode_tile
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.pack_manifest import IMAGERY_NAME, TERRAIN_NAME

LAY_FORMAT = 1  # to be raised when the same sources give other tiles than before
BLOCK_TILES = 4  # tiles to the side of a block: one read of 1024x1024 px from each source

Edges = tuple[str, str, str]


@dataclass(frozen=True)
class LayTask:
    """key: hash of what goes into the cell. tiles: of the finest level, to count progress."""

    cell: Cell
    key: str
    tiles: int


def lay_task(opened: Opened, cell: Cell) -> LayTask:
    """What a cell is to be made of. Raises InputError when an input is gone."""
    tiles = opened.finest_tiles(cell)
    finest = opened.recipe.levels[-1]
    made_of = {
        "format": LAY_FORMAT,
        "levels": opened.recipe.levels,
        "tiles": tiles,
        "crs": opened.recipe.crs,
        "sources": [(s.name, s.mark(finest, cell.bounds_m)) for s in opened.sources_at(cell)],
        "terrain": terrain_made_of(cell, opened),
    }
    return LayTask(cell, hashlib.sha256(json.dumps(made_of).encode()).hexdigest(), len(tiles))


def lay_cell(task: LayTask, opened: Opened, store: CellStore, pool: Executor) -> CellMark:
    """Makes the cell's imagery unless the store has it. pool: encodes tiles.

    Raises InputError: a damaged source. OSError and sqlite3 errors pass through.
    """
    held = held_imagery(task, store)
    if held is not None:
        return held
    with store.scratch() as scratch:
        counts, edges = _lay_imagery(scratch / IMAGERY_NAME, task.cell, opened, pool)
        files = [scratch / IMAGERY_NAME] if counts else []
        if lay_terrain(scratch / TERRAIN_NAME, task.cell, opened):
            files.append(scratch / TERRAIN_NAME)
        return store.put(task.cell, Step.LAY, task.key, files, counts, edges)


def held_imagery(task: LayTask, store: CellStore) -> CellMark | None:
    """What the store has of it, None when it is to be made."""
    return store.held(task.cell, Step.LAY, task.key)


def _lay_imagery(
    path: Path, cell: Cell, opened: Opened, pool: Executor
) -> tuple[dict[int, int], Edges]:
    """Writes the file; returns the tiles of each level that has any, and the edges."""
    levels = opened.recipe.levels
    writer = MBTilesWriter(path)
    tiles = _lay_finest(
        writer, levels[-1], opened.finest_tiles(cell), opened.sources_at(cell), pool
    )
    counts = {levels[-1]: len(tiles)} if tiles else {}
    for finer, level in itertools.pairwise(reversed(levels)):
        tiles = _reduce(writer, finer, level, tiles, pool)
        if tiles:
            counts[level] = len(tiles)
    writer.set_metadata(
        {"name": cell.name, "format": "jpg", "minzoom": str(levels[0]), "maxzoom": str(levels[-1])}
    )
    edges = _edges(writer, cell, levels)
    writer.commit()
    writer.close()
    return counts, edges


def _edges(writer: MBTilesWriter, cell: Cell, levels: tuple[int, ...]) -> Edges:
    """As `CellMark` has them."""
    west, north, corner = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    found = [False, False, False]
    for level in levels:
        x0, y0, x1, y1 = cell.tiles(level)
        for number, digest, places in (
            (0, west, [(x0, y) for y in range(y0, y1)]),
            (1, north, [(x, y0) for x in range(x0, x1)]),
            (2, corner, [(x0, y0)]),
        ):
            for x, y in places:
                data = writer.tile(level, x, y)
                if data is not None:
                    digest.update(f"{level} {x} {y} {len(data)} ".encode() + data)
                    found[number] = True
    texts = [d.hexdigest() if f else "" for d, f in zip((west, north, corner), found, strict=True)]
    return texts[0], texts[1], texts[2]


def _lay_finest(
    writer: MBTilesWriter, level: int, tiles: list[Position], sources: list[Source], pool: Executor
) -> list[Position]:
    """Puts the tiles that are not blank; returns them."""

    def block(tile: Position) -> Position:
        return tile[1] // BLOCK_TILES, tile[0] // BLOCK_TILES

    put: list[Position] = []
    for _, group in itertools.groupby(sorted(tiles, key=lambda t: (block(t), t[1], t[0])), block):
        members = list(group)
        laid = _laid(level, members, sources)
        if laid is None:
            continue
        encoded = pool.map(encode_tile, _cut(laid, members))
        put += _put(writer, level, members, list(encoded))
    return put


def _laid(level: int, tiles: list[Position], sources: list[Source]) -> Picture | None:
    """The block of a level around the tiles, from the sources that touch it."""
    x0, y0, x1, y1 = _extent(tiles)
    window = (x0 * TILE_PX, y0 * TILE_PX, (x1 - x0) * TILE_PX, (y1 - y0) * TILE_PX)
    laid: Picture | None = None
    for source in sources:
        left, top, right, bottom = tile_range(source.bounds_m, level)
        if left >= x1 or right <= x0 or top >= y1 or bottom <= y0:
            continue
        picture = blank_fill(source.read(level, *window))
        if laid is None:
            laid = picture
        else:
            np.copyto(laid, picture, where=mask_of(picture)[:, :, None])
    return laid


def _cut(laid: Picture, tiles: list[Position]) -> list[Picture]:
    x0, y0, _, _ = _extent(tiles)
    origins = [((x - x0) * TILE_PX, (y - y0) * TILE_PX) for x, y in tiles]
    return [
        np.ascontiguousarray(laid[top : top + TILE_PX, left : left + TILE_PX])
        for left, top in origins
    ]


def _reduce(
    writer: MBTilesWriter, finer: int, level: int, tiles: list[Position], pool: Executor
) -> list[Position]:
    """Puts the tiles of a level from those of the next finer one; returns them."""
    count = 1 << (finer - level)
    side = TILE_PX // count

    def reduced(children: list[bytes | None]) -> bytes | None:
        picture = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        for number, data in enumerate(children):
            if data is not None:
                part = resized(decode_tile(data, "a tile just laid"), side, side)
                top, left = number // count * side, number % count * side
                picture[top : top + side, left : left + side] = part
        return encode_tile(picture)

    parents = sorted({(x // count, y // count) for x, y in tiles}, key=lambda t: (t[1], t[0]))
    put: list[Position] = []
    for start in range(0, len(parents), BLOCK_TILES**2):
        members = parents[start : start + BLOCK_TILES**2]
        children = [
            [
                writer.tile(finer, x * count + i, y * count + j)
                for j, i in itertools.product(range(count), range(count))
            ]
            for x, y in members
        ]
        put += _put(writer, level, members, list(pool.map(reduced, children)))
    return put


def _put(
    writer: MBTilesWriter, level: int, tiles: list[Position], encoded: list[bytes | None]
) -> list[Position]:
    put = []
    for (x, y), data in zip(tiles, encoded, strict=True):
        if data is not None:
            writer.put(level, x, y, data)
            put.append((x, y))
    return put


def _extent(tiles: list[Position]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in tiles], [y for _, y in tiles]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1
