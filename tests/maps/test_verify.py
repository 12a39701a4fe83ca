import numpy as np

from maps.verify import RECALL_GOAL, SAMPLE_TILES, index_recall
from onboard.pack.map_pack import MapPack
from onboard.pack.tile_index import TileTable
from tests.onboard.hand_made_pack import LEVEL, square_table, write_pack


def test_a_good_index_over_several_shards_passes(tmp_path):
    pack = MapPack.open(write_pack(tmp_path / "a.pack", [square_table(30)]))
    assert len(pack.manifest.shards) == 2
    (level,) = index_recall(pack)
    assert (level.level, level.tiles, level.queried) == (LEVEL, 900, SAMPLE_TILES)
    assert level.recall >= RECALL_GOAL


def test_an_index_over_other_descriptors_is_seen(tmp_path):
    path = write_pack(tmp_path / "a.pack", [square_table(40)])
    for name in path.glob("index/*.codes.npy"):
        codes = np.load(name)
        codes[:, :-2] = codes[::-1, :-2]
        np.save(name, codes)
    (level,) = index_recall(MapPack.open(path, check_hashes=False))
    assert level.recall < 0.5


def test_equally_near_tiles_do_not_count_against_the_index(tmp_path):
    table = square_table(20)
    same = np.repeat(table.descriptors[:1], 400, axis=0)
    pack = write_pack(tmp_path / "a.pack", [TileTable(LEVEL, table.cols, table.rows, same)])
    (level,) = index_recall(MapPack.open(pack))
    assert level.recall == 1.0
