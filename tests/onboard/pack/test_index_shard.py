import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.shards import write_shard
from onboard.errors import InputError
from onboard.pack.index_shard import read_shard, read_table
from onboard.pack.tile_index import CELL_STEPS
from tests.onboard.hand_made_pack import LEVEL, clustered

CELL_COL, CELL_ROW = 7, 3
LEFT, TOP = CELL_COL * CELL_STEPS, CELL_ROW * CELL_STEPS


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Tiles anywhere in a cell, its corners among them."""
    folder = tmp_path_factory.mktemp("s")
    picked = np.random.default_rng(1).choice(CELL_STEPS**2, 3000, replace=False)
    places = np.unique([*picked, 0, 255, 255 * 256, 256**2 - 1])
    cols, rows = LEFT + places % 256, TOP + places // 256
    short = clustered(len(places), 80).astype(np.float16)
    shard = write_shard(
        folder, LEVEL, CELL_COL, CELL_ROW, cols.astype(np.int32), rows.astype(np.int32), short
    )
    return folder, shard, cols, rows, short


def test_tiles_are_where_they_were_written(written):
    folder, shard, cols, rows, short = written
    opened, table = read_shard(folder, shard, 80), read_table(folder, shard, 80)
    assert opened.size_bytes == 66 * len(cols)
    assert np.array_equal(opened.tiles(np.arange(len(cols)))[0], cols)
    assert np.array_equal(table.cols, cols) and np.array_equal(table.rows, rows)
    assert np.allclose(table.descriptors, short, atol=2e-3)


edge = st.integers(-300, 600)


@settings(deadline=None, max_examples=200)
@given(c0=edge, c1=edge, r0=edge, r1=edge)
def test_a_window_is_what_a_plain_comparison_gives(written, c0, c1, r0, r1):
    folder, shard, cols, rows, _ = written
    opened = read_shard(folder, shard, 80)
    inside = (cols >= LEFT + c0) & (cols <= LEFT + c1) & (rows >= TOP + r0) & (rows <= TOP + r1)
    found = opened.window(LEFT + c0, LEFT + c1, TOP + r0, TOP + r1)
    assert np.array_equal(found, np.flatnonzero(inside))


def test_tiles_out_of_order_are_refused(written, tmp_path):
    folder, shard, *_ = written
    (tmp_path / "index").mkdir()
    packed = np.load(folder / shard.codes)
    packed[5] = packed[6]  # the same place twice
    np.save(tmp_path / shard.codes, packed)
    with pytest.raises(InputError, match="not in order"):
        read_shard(tmp_path, shard, 80)
