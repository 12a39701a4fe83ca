import numpy as np

from maps.verify import RECALL_GOAL, SAMPLE_TILES, index_recall
from onboard.map_pack import MapPack
from onboard.tile_index import TileTable
from tests.onboard.hand_made_pack import LEVEL, square_table, write_pack


def test_a_good_index_over_several_shards_passes(tmp_path):
    table = square_table(30)
    thirds = [slice(0, 300), slice(300, 600), slice(600, 900)]
    shards = [TileTable(LEVEL, table.cols[s], table.rows[s], table.descriptors[s]) for s in thirds]
    (level,) = index_recall(MapPack.open(write_pack(tmp_path / "a.pack", shards)))
    assert (level.level, level.tiles, level.queried) == (LEVEL, 900, SAMPLE_TILES)
    assert level.recall >= RECALL_GOAL


def test_an_index_over_other_descriptors_is_seen(tmp_path):
    pack = MapPack.open(write_pack(tmp_path / "a.pack", [square_table(20)]))
    order = np.random.default_rng(0).permutation(400)
    tiles = pack.tiles(LEVEL)
    pack._tables[LEVEL] = TileTable(LEVEL, tiles.cols, tiles.rows, tiles.descriptors[order])
    (level,) = index_recall(pack)
    assert level.recall < 0.5


def test_equally_near_tiles_do_not_count_against_the_index(tmp_path):
    table = square_table(20)
    same = np.repeat(table.descriptors[:1], 400, axis=0)
    pack = write_pack(tmp_path / "a.pack", [TileTable(LEVEL, table.cols, table.rows, same)])
    (level,) = index_recall(MapPack.open(pack))
    assert level.recall == 1.0
