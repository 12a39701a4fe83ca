"""What every kind of imagery answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path

from onboard.geodesy import WGS84_A_M
from onboard.messages import Picture

WORLD_M = 2 * math.pi * WGS84_A_M  # side of Web Mercator's square


class Source(ABC):
    """One input of a build.

    files: what it was read from. native_level: the (fractional) level whose pixels are as
    large as its own. bounds_m: west, south, east, north in EPSG:3857. date: ISO 8601 or None.
    """

    name: str
    files: tuple[Path, ...]
    native_level: float
    bounds_m: tuple[float, float, float, float]
    date: str | None

    @abstractmethod
    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        """(height, width, 3) BGR, its upper left corner at map pixel (x, y) of the level;
        (0, 0, 0) where there is nothing. Raises InputError when the input is damaged."""
