"""Descriptions of map crops, kept while they are used: the stages that compare a view with
the map share them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from onboard.describe import Describer
from onboard.inference import as_batch
from onboard.messages import TILE_PX, Description, Picture

CACHED_TILES = 64  # 780 kB each: 50 MB


class Imagery(Protocol):
    """What crops are taken from: a map pack."""

    def picture(
        self, level: int, x: int, y: int, width: int = TILE_PX, height: int = TILE_PX
    ) -> Picture: ...


class TileDescriptions:
    """Descriptions of 256-px map crops, made when asked for and kept while they are used."""

    def __init__(self, imagery: Imagery, describer: Describer) -> None:
        self._imagery = imagery
        self._describer = describer
        self._cache: OrderedDict[tuple[int, tuple[int, int]], Description] = OrderedDict()

    def describe(self, level: int, corners: list[tuple[int, int]]) -> list[Description]:
        """Descriptions of the crops whose upper left corners are these map pixels."""
        missing = [c for c in dict.fromkeys(corners) if (level, c) not in self._cache]
        if missing:
            pictures = as_batch([self._imagery.picture(level, x, y) for x, y in missing])
            for corner, description in zip(
                missing, self._describer.describe(pictures), strict=True
            ):
                self._cache[(level, corner)] = description
        found = []
        for corner in corners:
            self._cache.move_to_end((level, corner))
            found.append(self._cache[(level, corner)])
        while len(self._cache) > CACHED_TILES:
            self._cache.popitem(last=False)
        return found
