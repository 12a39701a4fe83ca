"""A cell: an XYZ tile of the root level, and all that lies in it at the levels of the map."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maps.sources.source import WORLD_M

ROOT_STEPS = 5  # levels from the finest up to the root: 32x32 tiles of the finest in a cell
_NAME = re.compile(r"z(\d+)-(\d+)-(\d+)$")

Position = tuple[int, int]


def root_level(levels: tuple[int, ...]) -> int:
    """levels: of the map, coarsest first. No tile of any of them reaches over a cell."""
    return max(0, min(levels[-1] - ROOT_STEPS, levels[0]))


@dataclass(frozen=True)
class Cell:
    """XYZ tile (x, y) of the root level."""

    level: int
    x: int
    y: int

    @property
    def name(self) -> str:
        return f"z{self.level}-{self.x}-{self.y}"

    @classmethod
    def named(cls, name: str) -> Cell | None:
        """None when that is no cell's name."""
        found = _NAME.match(name)
        return None if found is None else cls(*map(int, found.groups()))

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """West, south, east, north in EPSG:3857."""
        side_m, half = WORLD_M / 2**self.level, WORLD_M / 2
        west, north = self.x * side_m - half, half - self.y * side_m
        return west, north - side_m, west + side_m, north

    def tiles(self, level: int) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1): its XYZ tiles at a level are x0 <= x < x1, y0 <= y < y1."""
        steps = level - self.level
        return self.x << steps, self.y << steps, (self.x + 1) << steps, (self.y + 1) << steps

    def needed(self) -> tuple[Cell, Cell, Cell, Cell]:
        """Itself and its neighbours to the east, south and south-east: its half-step tiles
        reach over those borders."""
        return self, self._moved(1, 0), self._moved(0, 1), self._moved(1, 1)

    def needing(self) -> tuple[Cell, ...]:
        """The cells whose half-step tiles reach into this one, itself among them."""
        around = (self, self._moved(-1, 0), self._moved(0, -1), self._moved(-1, -1))
        return tuple(cell for cell in around if cell.x >= 0 and cell.y >= 0)

    def _moved(self, x: int, y: int) -> Cell:
        return Cell(self.level, self.x + x, self.y + y)


def in_order(cells: set[Cell] | list[Cell]) -> list[Cell]:
    """By row, then column: a cell's neighbours to the south and east come soon after it."""
    return sorted(cells, key=lambda c: (c.y, c.x))
