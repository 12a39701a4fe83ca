"""Each way of searching a level against an exact search over all descriptors."""

import dataclasses

import numpy as np
import pytest

from maps import shards as shards_module
from onboard.errors import InputError
from onboard.messages import Prior, TileId
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import Manifest
from onboard.pack.shard_keeper import MEMORY_BYTES
from onboard.pack.tile_index import CELL_STEPS, TileTable, unit_length
from onboard.retrieve import retrieve
from tests.onboard.hand_made_pack import COL0, LEVEL, ROW0, clustered, square_table, write_pack


def exact(table, query, k=10):
    similarity = np.einsum("nd,d->n", table.descriptors, query)
    order = np.lexsort((table.cols, table.rows, np.float32(1.0) - similarity))[:k]
    return [table.tile_id(int(i)) for i in order]


def queries(table, count=40):
    rng = np.random.default_rng(6)
    views = table.descriptors[rng.integers(len(table), size=count)]
    return unit_length(views + clustered(count, views.shape[1], seed=5) / 3)


def changed(pack: MapPack, change) -> MapPack:
    shards = tuple(dataclasses.replace(s, **change) for s in pack.manifest.shards)
    manifest: Manifest = dataclasses.replace(pack.manifest, shards=shards)
    return MapPack(pack.path, manifest)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_pack(tmp_path_factory.mktemp("i") / "a.pack", [square_table(50)])


@pytest.fixture(scope="module")
def with_graphs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards_module, "GRAPH_TILES", 10)
        return write_pack(tmp_path_factory.mktemp("g") / "a.pack", [square_table(50)])


def test_codes_find_what_all_descriptors_find(path):
    pack = MapPack.open(path)
    table = pack.tiles(LEVEL)
    for query in queries(table):
        assert [t for t, _ in pack.nearest(LEVEL, query, 10)] == exact(table, query)


def test_graphs_find_it_where_they_fit_into_the_memory(with_graphs, monkeypatch):
    pack = MapPack.open(with_graphs)
    assert all(s.graph for s in pack.manifest.shards) and pack.index.uses_graphs(LEVEL)
    table = pack.tiles(LEVEL)
    for query in queries(table):
        assert [t for t, _ in pack.nearest(LEVEL, query, 10)] == exact(table, query)
    little = MapPack(with_graphs, pack.manifest, pack.index.codes_bytes() + 1000)
    assert not little.index.uses_graphs(LEVEL)
    monkeypatch.setattr(little.index, "graph", None)  # nobody asks for one
    assert little.nearest(LEVEL, queries(table)[0], 10) == pack.nearest(
        LEVEL, queries(table)[0], 10
    )


def test_a_graph_that_reaches_too_few_tiles_gives_way_to_the_codes(tmp_path, monkeypatch):
    """Tiles that look the same, as a service's placeholders, are linked to one another alone;
    hnswlib raises where it finds fewer than were asked for."""
    monkeypatch.setattr(shards_module, "GRAPH_TILES", 10)
    table = square_table(40)
    rng = np.random.default_rng(0)
    table = dataclasses.replace(
        table,
        cols=table.cols - table.cols[0] % CELL_STEPS,  # all in one shard
        rows=table.rows - table.rows[0] % CELL_STEPS,
        descriptors=unit_length(rng.normal(size=(7, 96)))[rng.integers(7, size=len(table))],
    )
    built = MapPack.open(write_pack(tmp_path / "a.pack", [table]))
    (shard,) = built.manifest.shards
    assert shard.graph is None and shard.graph_recall < 0.99  # found out when it was built
    monkeypatch.setattr(shards_module, "RECALL_GOAL", 0.0)
    pack = MapPack.open(write_pack(tmp_path / "b.pack", [table]))
    assert pack.manifest.shards[0].graph is not None and pack.index.uses_graphs(LEVEL)
    for query in pack.tiles(LEVEL).descriptors[::10]:
        found = pack.nearest(LEVEL, query, 10)
        assert len(found) == 10 and max(distance for _, distance in found) < 1e-3


def test_codes_that_miss_too_much_are_not_used_and_it_is_told(tmp_path):
    """What tells these tiles apart lies beyond the numbers that a code holds."""
    table = square_table(50)
    full = np.tile(clustered(1, 96), (2500, 1))
    full[:, 64:] = clustered(2500, 32, seed=3)
    table = TileTable(LEVEL, table.cols, table.rows, unit_length(full))
    pack = MapPack.open(write_pack(tmp_path / "a.pack", [table]))
    table = pack.tiles(LEVEL)
    assert "2 of 2 shards are searched by the full descriptors" in pack.index_notes()[0]
    trusting = changed(pack, {"recall": 1.0})
    assert trusting.index_notes() == []
    prior, missed = Prior(*pack.centre, 1e7), 0
    for query in queries(table):
        wanted = exact(table, query)
        assert [t for t, _ in pack.nearest(LEVEL, query, 10)] == wanted
        assert retrieve(pack, LEVEL, query, 10, prior)[0].tile == wanted[0]
        missed += [t for t, _ in trusting.nearest(LEVEL, query, 10)] != wanted
    assert missed > 20  # or this test says nothing


def test_a_graph_that_was_not_kept_is_told(path):
    pack = changed(MapPack.open(path), {"graph_recall": 0.9})
    assert "2 of 2 shards have no graph: it found 0.900" in pack.index_notes()[0]


def test_equal_tiles_come_by_row_then_column(tmp_path):
    table = square_table(30)
    same = np.repeat(table.descriptors[:1], 900, axis=0)
    table = TileTable(LEVEL, table.cols, table.rows, same)
    pack = MapPack.open(write_pack(tmp_path / "a.pack", [table]))
    first = [TileId(LEVEL, COL0 + i, ROW0) for i in range(12)]
    assert [t for t, _ in pack.nearest(LEVEL, same[0], 12)] == first
    other = clustered(1, seed=7)[0]
    assert [t for t, _ in pack.nearest(LEVEL, other, 12)] == first


@pytest.mark.parametrize("damage", ["cut", "word", "other"])
def test_a_damaged_graph_is_a_sentence(with_graphs, tmp_path, damage):
    pack = MapPack.open(with_graphs)
    path = with_graphs / str(pack.manifest.shards[0].graph)
    whole = path.read_bytes()
    try:
        if damage == "cut":
            path.write_bytes(whole[:-7])
        elif damage == "word":
            path.write_bytes(whole[:96] + b"\xff\xff\xff\xff" + whole[100:])
        else:
            path.write_bytes((with_graphs / str(pack.manifest.shards[1].graph)).read_bytes())
        with pytest.raises(InputError, match=r"\.hnsw: not an hnswlib index"):
            pack.nearest(LEVEL, clustered(1)[0], 10)
    finally:
        path.write_bytes(whole)


def test_the_memory_is_meant_for_four_million_tiles():
    assert MEMORY_BYTES // 66 > 4_000_000
