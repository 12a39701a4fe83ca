import shutil

import numpy as np
import pytest

from maps import shards
from maps.shards import SHARD_STEPS, shard_there, write_shard
from onboard.errors import InputError
from onboard.pack.index_shard import read_table
from onboard.pack.tile_index import RECALL_GOAL, IndexParameters, unit_length
from tests.onboard.hand_made_pack import LEVEL, clustered

CELL = (LEVEL, 5, 6)


def tiles(count, dim=64, hard=False):
    rows, cols = np.divmod(np.arange(count, dtype=np.int32), np.int32(40))
    rng = np.random.default_rng(4)
    full = unit_length(rng.normal(size=(count, dim))) if hard else clustered(count, dim)
    return cols + 5 * SHARD_STEPS, rows + 6 * SHARD_STEPS, full.astype(np.float16)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("graph_tiles", [10_000, 100])
def test_the_same_tiles_give_the_same_bytes_and_a_killed_build_goes_on(
    tmp_path, monkeypatch, graph_tiles
):
    monkeypatch.setattr(shards, "GRAPH_TILES", graph_tiles)
    (tmp_path / "one").mkdir()
    one = write_shard(tmp_path / "one", *CELL, *tiles(800))
    assert shard_there(tmp_path / "one", *CELL) == one
    assert set(one.paths) == {f"index/{name}" for name in files(tmp_path / "one")}
    assert (one.graph is None) == (graph_tiles > 800)
    for stop_after in range(len(one.paths)):
        begun = tmp_path / f"begun{stop_after}"
        shutil.copytree(tmp_path / "one", begun)
        (begun / one.codes).unlink()  # the last to be written
        for path in list(one.paths)[:stop_after]:
            (begun / path).unlink(missing_ok=True)
        assert shard_there(begun, *CELL) is None
        assert write_shard(begun, *CELL, *tiles(800)) == one
        assert files(begun) == files(tmp_path / "one")


def test_what_was_written_is_read(tmp_path):
    cols, rows, short = tiles(300, dim=100)
    shard = write_shard(tmp_path, *CELL, cols, rows, short)
    table = read_table(tmp_path, shard, 100)
    assert np.array_equal(table.cols, cols) and np.array_equal(table.rows, rows)
    assert np.array_equal(table.descriptors, unit_length(short))
    assert shard.recall > RECALL_GOAL and shard.graph_recall is None


def test_no_tiles_no_files(tmp_path):
    shard = write_shard(tmp_path, *CELL, *(column[:0] for column in tiles(10)))
    assert shard.count == 0 and files(tmp_path) == {}


def test_a_graph_that_misses_too_much_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "GRAPH_TILES", 100)
    monkeypatch.setattr(shards, "shortlists", lambda _: (10, 10))
    monkeypatch.setattr(shards, "IndexParameters", lambda: IndexParameters(m=2, ef=2))
    shard = write_shard(tmp_path, *CELL, *tiles(3000, hard=True))
    assert shard.graph is None and shard.graph_recall < RECALL_GOAL
    assert list(tmp_path.rglob("*.hnsw")) == []
    assert shard_there(tmp_path, *CELL) is None  # or nobody would know what the graph missed


def test_codes_that_miss_too_much_are_told(tmp_path):
    """All that tells the tiles apart lies beyond the numbers that a code holds."""
    cols, rows, short = tiles(2000, dim=128, hard=True)
    short[:, :64] = short[0, :64]
    shard = write_shard(tmp_path, *CELL, cols, rows, short)
    assert shard.recall < 0.5 and shard.exact


@pytest.mark.parametrize("wrong", ["outside", "order", "twice"])
def test_tiles_that_a_shard_cannot_hold_are_refused(tmp_path, wrong):
    cols, rows, short = tiles(100)
    if wrong == "outside":
        cols[0] = 5 * SHARD_STEPS - 1
    elif wrong == "order":
        rows = rows[::-1].copy()
    else:
        cols[1] = cols[0]
    with pytest.raises(ValueError, match="outside the cell" if wrong == "outside" else "sorted"):
        write_shard(tmp_path, *CELL, cols, rows, short)
    assert files(tmp_path) == {}


def test_a_descriptor_that_is_no_number_is_refused(tmp_path):
    cols, rows, short = tiles(100)
    short[7, 3] = np.nan
    with pytest.raises(InputError, match="no number"):
        write_shard(tmp_path, *CELL, cols, rows, short)
