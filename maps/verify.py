"""Whether a pack's index finds what an exact search finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maps.recall import nearest_distances, recall, views_between
from onboard.pack.index_search import nearest
from onboard.pack.index_shard import read_table
from onboard.pack.map_pack import MapPack
from onboard.pack.tile_index import RECALL_GOAL, RECALL_NEAREST

NEAREST = RECALL_NEAREST
SAMPLE_TILES = 200
SEED = 1

__all__ = ["NEAREST", "RECALL_GOAL", "LevelRecall", "index_recall"]


@dataclass(frozen=True)
class LevelRecall:
    """recall: of the exact NEAREST nearest tiles of each view queried, the share that the index
    gave too; the views lie between two tiles."""

    level: int
    tiles: int
    queried: int
    recall: float


def index_recall(pack: MapPack) -> list[LevelRecall]:
    """The recall of every level on SAMPLE_TILES random tiles; the same ones every time. Holds
    one shard's full descriptors at a time.

    Raises InputError when a shard cannot be read.
    """
    return [_level_recall(pack, level) for level in pack.levels]


def _level_recall(pack: MapPack, level: int) -> LevelRecall:
    shards, dim = pack.index.of_level(level), pack.manifest.model.descriptor_dim
    total = pack.manifest.tile_count(level)
    picked = np.sort(
        np.random.default_rng(SEED).choice(total, min(SAMPLE_TILES, total), replace=False)
    )
    queries, start = [], 0
    for shard in shards:
        here = picked[(picked >= start) & (picked < start + shard.count)] - start
        if len(here):
            queries.append(views_between(read_table(pack.path, shard, dim).descriptors, here))
        start += shard.count
    views = np.concatenate(queries)
    exact = nearest_distances(views, (read_table(pack.path, s, dim).descriptors for s in shards))
    found = recall(views, exact, lambda q: nearest(pack.index, level, q, NEAREST).distance)
    return LevelRecall(level, total, len(views), found)
