import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.pack.mbtiles import MBTiles, MBTilesWriter

LEVEL = 6


def written(path: Path, tiles: dict[tuple[int, int], bytes]) -> MBTiles:
    writer = MBTilesWriter(path)
    for (x, y), data in tiles.items():
        writer.put(LEVEL, x, y, data)
    writer.set_metadata({"name": "n", "format": "jpg"})
    writer.commit()
    writer.close()
    return MBTiles(path)


@settings(deadline=None, max_examples=15)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2**LEVEL - 1), st.integers(0, 2**LEVEL - 1)),
        st.binary(min_size=1, max_size=20),
        min_size=1,
        max_size=10,
    )
)
def test_gives_back_what_was_written(tmp_path_factory, tiles):
    read = written(tmp_path_factory.mktemp("t") / "a.mbtiles", tiles)
    assert {p: read.tile(LEVEL, *p) for p in read.positions(LEVEL)} == tiles
    assert read.positions(LEVEL) == sorted(tiles, key=lambda p: (p[1], p[0]))
    assert read.levels == (LEVEL,)
    assert read.metadata() == {"name": "n", "format": "jpg"}


def test_rows_in_the_file_count_from_the_south(tmp_path):
    read = written(tmp_path / "a.mbtiles", {(3, 0): b"north"})
    found = read._db.execute("SELECT tile_column, tile_row FROM tiles").fetchall()
    assert found == [(3, 2**LEVEL - 1)]
    assert read.tile(LEVEL, 3, 1) is None


def test_what_was_not_committed_is_not_there(tmp_path):
    writer = MBTilesWriter(tmp_path / "a.mbtiles")
    writer.put(LEVEL, 0, 0, b"x")
    writer.commit()
    writer.put(LEVEL, 1, 0, b"y")
    writer.close()
    assert MBTiles(tmp_path / "a.mbtiles").positions(LEVEL) == [(0, 0)]


@pytest.mark.parametrize("content", [None, b"", b"not a database at all, but text" * 50])
def test_refuses_what_is_no_mbtiles_file(tmp_path, content):
    path = tmp_path / "a.mbtiles"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mbtiles"):
        MBTiles(path)


def test_a_file_cut_short_is_an_input_error(tmp_path):
    tiles = {(x, y): bytes([x]) * 4000 for x in range(8) for y in range(8)}
    written(tmp_path / "a.mbtiles", tiles).close()
    whole = (tmp_path / "a.mbtiles").read_bytes()
    (tmp_path / "b.mbtiles").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"b\.mbtiles"):
        read = MBTiles(tmp_path / "b.mbtiles")
        for x, y in tiles:
            read.tile(LEVEL, x, y)


def test_a_file_begun_and_left_empty_is_gone_on_with(tmp_path):
    (tmp_path / "a.mbtiles").touch()
    assert written(tmp_path / "a.mbtiles", {(1, 2): b"x"}).tile(LEVEL, 1, 2) == b"x"


def test_a_file_beyond_16_gib_is_read_like_any_other(tmp_path):
    path = tmp_path / "area.mbtiles"
    written = MBTilesWriter(path)
    written.put(1, 0, 1, b"x")
    written.commit()
    written.close()
    os.truncate(path, 17 << 30)  # sparse: takes no room
    with contextlib.closing(MBTiles(path, of_pack=True)) as tiles:
        assert tiles.levels == (1,) and tiles.positions(1) == [(0, 1)]
        assert tiles.tile(1, 0, 1) == b"x"
