"""What of a store goes into a pack: levels, and tiles that touch an area."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.prepared import prep

from maps.cells.cell import Cell
from maps.plan import tile_box


class Selection:
    """area: WGS84 longitude, latitude, None takes all. levels: coarsest first."""

    def __init__(self, area: BaseGeometry | None, levels: tuple[int, ...]) -> None:
        self.levels = levels
        self._area = area
        self._prepared = None if area is None else prep(area)
        self.tile = functools.lru_cache(maxsize=1 << 16)(self._tile)

    def text(self) -> str:
        """The same for the same selection."""
        return f"{self.levels} {'' if self._area is None else self._area.wkt}"

    def cell(self, cell: Cell) -> bool:
        return self._tile(cell.level, cell.x, cell.y)

    def _tile(self, level: int, x: int, y: int) -> bool:
        """Whether an XYZ tile of a level touches the area."""
        if self._prepared is None:
            return True
        return bool(self._prepared.intersects(box(*tile_box(x, y, level))))

    def half_steps(
        self, level: int, cols: NDArray[np.int32], rows: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """(N,): whether all XYZ tiles under a half-step tile are taken; else the pack would
        hold a description of ground that it has no picture of."""
        if self._prepared is None:
            return np.ones(len(cols), np.bool_)
        taken = [
            all(
                self.tile(level, x, y)
                for x in {col // 2, (col + 1) // 2}
                for y in {row // 2, (row + 1) // 2}
            )
            for col, row in zip(cols.tolist(), rows.tolist(), strict=True)
        ]
        return np.array(taken, np.bool_)
