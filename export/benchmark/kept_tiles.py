"""What a network made of a tile, kept while queries ask for the tile again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from onboard.messages import Picture

T = TypeVar("T")


class KeptTiles(Generic[T]):
    """make: what is called once a tile; the `limit` tiles used last are kept."""

    def __init__(self, make: Callable[[Picture], T], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._kept: OrderedDict[bytes, T] = OrderedDict()

    def __call__(self, tile: Picture) -> T:
        key = hashlib.sha256(tile.tobytes()).digest()
        if key not in self._kept:
            self._kept[key] = self._make(tile)
        self._kept.move_to_end(key)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return self._kept[key]
