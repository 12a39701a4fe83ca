"""A tile is made once while it is kept, and the longest unused one goes."""

from __future__ import annotations

import numpy as np

from export.benchmark.kept_tiles import KeptTiles
from onboard.messages import Picture


def test_kept_until_others_take_the_room() -> None:
    made = []

    def make(tile: Picture) -> int:
        made.append(int(tile[0, 0, 0]))
        return made[-1]

    tiles = [np.full((2, 2, 3), i, np.uint8) for i in range(3)]
    kept = KeptTiles(make, 2)
    assert [kept(tiles[i]) for i in (0, 1, 0, 2, 0, 1)] == [0, 1, 0, 2, 0, 1]
    assert made == [0, 1, 2, 1]
