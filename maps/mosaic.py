"""Lays the sources over one another into map tiles, level by level, in one MBTiles file.

The finest level comes from the sources, later ones on top; each coarser level by area
averaging of the one above it. Work is done in steps, each committed whole, so that a build
that was killed goes on with the first step not done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

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

    def __init__(self, path: Path, sources: Sequence[Source], plan: Plan) -> None:
        self._sources, self._plan = sources, plan
        self._writer = MBTilesWriter(path)
        self._name = str(path)
        self._steps = self._all_steps()
        self.tile_count = sum(len(tiles) for _, tiles in self._steps)

    def build(self, progress: Callable[[int], None]) -> None:
        """Does the steps not yet done; progress is called with the tiles each one took.

        Raises InputError: a damaged source, no imagery at all. sqlite3 errors pass through.
        """
        done = int(self._writer.metadata().get(_STEPS_DONE, "0"))
        for number, (level, tiles) in enumerate(self._steps):
            if number >= done:
                if level == self._plan.levels[-1]:
                    self._lay(level, tiles)
                else:
                    self._reduce(level, tiles)
                self._writer.set_metadata({_STEPS_DONE: str(number + 1)})
                self._writer.commit()
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

    def _lay(self, level: int, tiles: list[Position]) -> None:
        """The block's tiles from the sources; each source is read in one window."""
        x0, y0 = min(x for x, _ in tiles), min(y for _, y in tiles)
        x1, y1 = max(x for x, _ in tiles) + 1, max(y for _, y in tiles) + 1
        window = (x0 * TILE_PX, y0 * TILE_PX, (x1 - x0) * TILE_PX, (y1 - y0) * TILE_PX)
        laid: Picture | None = None
        for source in self._sources:
            if not _touches(source, level, x0, y0, x1, y1):
                continue
            picture = blank_fill(source.read(level, *window))
            if laid is None:
                laid = picture
            else:
                np.copyto(laid, picture, where=mask_of(picture)[:, :, None])
        if laid is None:
            return
        for x, y in tiles:
            top, left = (y - y0) * TILE_PX, (x - x0) * TILE_PX
            self._put(level, x, y, laid[top : top + TILE_PX, left : left + TILE_PX])

    def _reduce(self, level: int, tiles: list[Position]) -> None:
        """The block's tiles from those of the next finer level of the plan."""
        finer = self._plan.levels[self._plan.levels.index(level) + 1]
        children = 1 << (finer - level)
        side = TILE_PX // children
        for x, y in tiles:
            picture = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
            for j, i in itertools.product(range(children), range(children)):
                cx, cy = x * children + i, y * children + j
                data = self._writer.tile(finer, cx, cy)
                if data is not None:
                    child = decode_tile(data, f"{self._name}: {finer}/{cx}/{cy}")
                    part = resized(child, side, side)
                    picture[j * side : (j + 1) * side, i * side : (i + 1) * side] = part
            self._put(level, x, y, picture)

    def _put(self, level: int, x: int, y: int, picture: Picture) -> None:
        data = encode_tile(np.ascontiguousarray(picture))
        if data is not None:
            self._writer.put(level, x, y, data)


def _touches(source: Source, level: int, x0: int, y0: int, x1: int, y1: int) -> bool:
    west, south, east, north = source.bounds_m
    side_m, half = WORLD_M / 2**level, WORLD_M / 2
    return bool(
        west < x1 * side_m - half
        and east > x0 * side_m - half
        and north > half - y1 * side_m
        and south < half - y0 * side_m
    )
