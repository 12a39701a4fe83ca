"""Lays the sources over one another into map tiles, level by level, in one MBTiles file.

The finest level comes from the sources, later ones on top; each coarser level by area
averaging of the one above it. Work is done in steps, each committed whole, so that a build
that was killed goes on with the first step not done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from maps.in_order import in_order
from maps.pixels import blank_fill, encode_tile, mask_of, resized
from maps.plan import Plan
from maps.source import WORLD_M, Source
from onboard.errors import InputError
from onboard.imagery import decode_tile
from onboard.mbtiles import MBTilesWriter
from onboard.messages import TILE_PX, Picture

BLOCK_TILES = 4  # tiles to the side of a block: one read of 1024x1024 px from each source
_STEPS_DONE = "steps_done"

Position = tuple[int, int]


class Mosaic:
    """The growing tiles of one build."""

    def __init__(self, path: Path, sources: Sequence[Source], plan: Plan, pool: Executor) -> None:
        self._sources, self._plan, self._pool = sources, plan, pool
        self._writer = MBTilesWriter(path)
        self._name = str(path)
        self._steps = self._all_steps()
        self.tile_count = sum(len(tiles) for _, tiles in self._steps)

    def build(self, progress: Callable[[int], None]) -> None:
        """Does the steps not yet done; progress is called with the tiles each one took.

        Raises InputError: a damaged source, no imagery at all. sqlite3 errors pass through.
        """
        done = int(self._writer.metadata().get(_STEPS_DONE, "0"))
        progress(sum(len(tiles) for _, tiles in self._steps[:done]))
        finest = self._plan.levels[-1]
        to_lay = [tiles for level, tiles in self._steps[done:] if level == finest]
        with ThreadPoolExecutor(max_workers=1) as reader:  # a GDAL data set is for one thread
            laid = in_order(reader, self._lay, to_lay, ahead=1)
            for number, (picture, tiles) in enumerate(zip(laid, to_lay, strict=True), done):
                if picture is not None:
                    self._cut(finest, tiles, picture)
                self._commit(number + 1)
                progress(len(tiles))
        for number, (level, tiles) in enumerate(self._steps):
            if level != finest and number >= done:
                self._reduce(level, tiles)
                self._commit(number + 1)
                progress(len(tiles))
        if next(iter(self._writer), None) is None:
            raise InputError("the imagery is blank everywhere in the area; give another area")

    def close(self) -> None:
        self._writer.close()

    def _all_steps(self) -> list[tuple[int, list[Position]]]:
        """(level, tiles) of every step: blocks of neighbouring tiles, finest level first."""
        steps = []
        tiles = set(self._plan.finest_tiles)
        finer = self._plan.levels[-1]
        for level in reversed(self._plan.levels):
            tiles = {(x >> (finer - level), y >> (finer - level)) for x, y in tiles}
            finer = level

            def block(tile: Position) -> Position:
                return tile[1] // BLOCK_TILES, tile[0] // BLOCK_TILES

            ordered = sorted(tiles, key=lambda t: (block(t), t[1], t[0]))
            steps += [(level, list(group)) for _, group in itertools.groupby(ordered, block)]
        return steps

    def _commit(self, steps_done: int) -> None:
        self._writer.set_metadata({_STEPS_DONE: str(steps_done)})
        self._writer.commit()

    def _lay(self, tiles: list[Position]) -> Picture | None:
        """The block of the finest level around the tiles, from the sources that touch it."""
        x0, y0, x1, y1 = _extent(tiles)
        window = (x0 * TILE_PX, y0 * TILE_PX, (x1 - x0) * TILE_PX, (y1 - y0) * TILE_PX)
        level = self._plan.levels[-1]
        laid: Picture | None = None
        for source in self._sources:
            if not _touches(source, level, x0, y0, x1, y1):
                continue
            picture = blank_fill(source.read(level, *window))
            if laid is None:
                laid = picture
            else:
                np.copyto(laid, picture, where=mask_of(picture)[:, :, None])
        return laid

    def _cut(self, level: int, tiles: list[Position], laid: Picture) -> None:
        """The block's tiles into the file."""
        x0, y0, _, _ = _extent(tiles)

        def tile(at: Position) -> bytes | None:
            left, top = (at[0] - x0) * TILE_PX, (at[1] - y0) * TILE_PX
            picture = laid[top : top + TILE_PX, left : left + TILE_PX]
            return encode_tile(np.ascontiguousarray(picture))

        self._put(level, tiles, self._pool.map(tile, tiles))

    def _reduce(self, level: int, tiles: list[Position]) -> None:
        """The block's tiles from those of the next finer level of the plan."""
        finer = self._plan.levels[self._plan.levels.index(level) + 1]
        count = 1 << (finer - level)
        side = TILE_PX // count

        def tile(children: list[bytes | None]) -> bytes | None:
            picture = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
            for number, data in enumerate(children):
                if data is not None:
                    part = resized(decode_tile(data, self._name), side, side)
                    top, left = number // count * side, number % count * side
                    picture[top : top + side, left : left + side] = part
            return encode_tile(picture)

        children = [
            [
                self._writer.tile(finer, x * count + i, y * count + j)
                for j, i in itertools.product(range(count), range(count))
            ]
            for x, y in tiles
        ]
        self._put(level, tiles, self._pool.map(tile, children))

    def _put(self, level: int, tiles: list[Position], encoded: Iterable[bytes | None]) -> None:
        for (x, y), data in zip(tiles, encoded, strict=True):
            if data is not None:
                self._writer.put(level, x, y, data)


def _extent(tiles: list[Position]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in tiles], [y for _, y in tiles]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def _touches(source: Source, level: int, x0: int, y0: int, x1: int, y1: int) -> bool:
    west, south, east, north = source.bounds_m
    side_m, half = WORLD_M / 2**level, WORLD_M / 2
    return bool(
        west < x1 * side_m - half
        and east > x0 * side_m - half
        and north > half - y1 * side_m
        and south < half - y0 * side_m
    )
