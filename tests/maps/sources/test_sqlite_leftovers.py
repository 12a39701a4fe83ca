"""An input whose newest tiles are not in the file itself is refused, not read without them."""

import re
import shlex
import sqlite3

import cv2
import pytest

from maps.sources.open_imagery import open_imagery
from onboard.errors import InputError
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from tests.maps.small_imagery import texture

LEVEL, X, Y = 15, 24310, 13710


@pytest.fixture
def mbtiles(tmp_path):
    path = tmp_path / "a b.mbtiles"
    writer = MBTilesWriter(path)
    for x in (X, X + 1):
        writer.put(LEVEL, x, Y, cv2.imencode(".png", texture(256, 256, seed=x))[1].tobytes())
    writer.commit()
    writer.close()
    return path


def put_by_hand(path, mode):
    """Another program that has the file open, a tile written the way `mode` says."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("PRAGMA cache_size=1")  # what does not fit goes to the file before the end
    db.execute("BEGIN")
    db.execute("UPDATE tiles SET tile_column = ? WHERE tile_column = ?", (X + 2, X + 1))
    return db


def said_of(path):
    with pytest.raises(InputError) as raised:
        open_imagery([path])
    assert "\n" not in str(raised.value)
    return str(raised.value)


def pragma_of(said, path):
    """The command that the sentence gives, without the shell."""
    program, file, pragma = shlex.split(re.search(r"run: (.*)$", said).group(1))
    assert (program, file) == ("sqlite3", str(path))
    return pragma


def columns(path):
    open_imagery([path])
    return [x for x, _ in MBTiles(path).positions(LEVEL)]


def test_tiles_in_a_wal_are_not_left_out_without_a_word(mbtiles):
    writing = put_by_hand(mbtiles, "WAL")
    writing.execute("COMMIT")
    link = mbtiles.parent / "link.mbtiles"
    link.symlink_to(mbtiles)
    for path in (mbtiles, link):
        assert "a b.mbtiles-wal beside it holds changes" in said_of(path)
    closing = sqlite3.connect(mbtiles)
    closing.execute(pragma_of(said_of(mbtiles), mbtiles))
    assert columns(mbtiles) == [X, X + 2]
    closing.close()
    writing.close()


def test_a_file_that_was_left_midway_is_refused(mbtiles, tmp_path):
    writing = put_by_hand(mbtiles, "DELETE")
    journal = mbtiles.with_name(mbtiles.name + "-journal")
    for n in range(300):  # more than the cache: SQLite syncs the journal and spills
        writing.execute("INSERT INTO metadata VALUES (?, ?)", (str(n), "x" * 4096))
    left = tmp_path / "left"
    left.mkdir()
    for file in (mbtiles, journal):  # as a killed program leaves them
        (left / file.name).write_bytes(file.read_bytes())
    writing.close()
    path = left / mbtiles.name
    said = said_of(path)
    assert "a b.mbtiles-journal beside it says that writing it was not ended" in said
    db = sqlite3.connect(path)
    db.execute(pragma_of(said, path)).fetchall()
    db.close()
    assert columns(path) == [X, X + 1]


def test_a_journal_that_is_done_with_does_not_matter(mbtiles):
    writing = put_by_hand(mbtiles, "PERSIST")
    writing.execute("COMMIT")
    writing.close()
    assert mbtiles.with_name(mbtiles.name + "-journal").stat().st_size > 0
    assert columns(mbtiles) == [X, X + 2]
    mbtiles.with_name(mbtiles.name + "-wal").touch()
    assert columns(mbtiles) == [X, X + 2]


def test_a_wal_that_is_no_file_is_said(mbtiles):
    mbtiles.with_name(mbtiles.name + "-wal").mkdir()
    assert "cannot be read (Is a directory)" in said_of(mbtiles)
