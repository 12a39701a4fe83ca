"""Whether a pack's index finds what an exact search finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onboard.map_pack import MapPack

SAMPLE_TILES = 200
NEAREST = 10
RECALL_GOAL = 0.99
SEED = 1


@dataclass(frozen=True)
class LevelRecall:
    """recall: of the exact NEAREST nearest tiles of each queried one, the share that the
    index gave too."""

    level: int
    tiles: int
    queried: int
    recall: float


def index_recall(pack: MapPack) -> list[LevelRecall]:
    """The recall of every level on SAMPLE_TILES random tiles; the same ones every time.

    Raises InputError when a shard cannot be read.
    """
    return [_level_recall(pack, level) for level in pack.levels]


def _level_recall(pack: MapPack, level: int) -> LevelRecall:
    table = pack.tiles(level)
    count = min(SAMPLE_TILES, len(table))
    queried = np.random.default_rng(SEED).choice(len(table), count, replace=False)
    k = min(NEAREST, len(table))
    found = 0
    for position in queried:
        similarity = table.descriptors @ table.descriptors[position]
        # Tiles as near as the k-th are as good as it: the order of equals is arbitrary.
        least = np.partition(similarity, -k)[-k] - 1e-6
        by_id = {table.tile_id(int(i)) for i in np.flatnonzero(similarity >= least)}
        answers = pack.nearest(level, table.descriptors[position], k)
        found += len({tile for tile, _ in answers} & by_id)
    return LevelRecall(level, len(table), count, found / (count * k))
