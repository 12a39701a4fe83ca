"""What a pack from a stranger may hold: refused in one plain sentence, and soon."""

import dataclasses
import json
import os
import re
import sqlite3
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.pack.imagery import Imagery, decode_tile
from onboard.pack.map_pack import MapPack
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from onboard.pack.ordinary_file import open_ordinary, open_within
from onboard.pack.pack_hashes import check_files
from onboard.pack.pack_manifest import (
    MANIFEST_NAME,
    MOST_MANIFEST_BYTES,
    ImagerySource,
    manifest_text,
    read_manifest,
)
from onboard.pack.pack_stamps import keeps_change_times, makes_inodes_up
from onboard.pack.plain_text import made_plain
from onboard.pack.strict_json import parse_strictly
from onboard.pack.terrain import Terrain
from tests.onboard.hand_made_pack import COL0, LEVEL, ROW0, square_table, write_pack

X, Y = COL0 // 2, ROW0 // 2
NO_LIST = '{"name": "a", "date": "b", "licence": "c", "attribution": "d", "datum": "e", '


@pytest.fixture
def pack(tmp_path) -> Path:
    return write_pack(tmp_path / "area.pack", [square_table(5)])


def refused(pack: Path, change) -> str:
    table = json.loads((pack / MANIFEST_NAME).read_text())
    change(table)
    (pack / MANIFEST_NAME).write_text(json.dumps(table))
    with pytest.raises(InputError) as error:
        read_manifest(pack)
    said = str(error.value)
    assert said.isprintable() and len(said) < 5000, said[:300]
    return said


def add_file(path: str):
    return lambda m: m["files"].append({"path": path, "size": 1, "sha256": "0" * 64})


def put(*keys):
    """The last of keys is the value."""

    def change(m):
        for key in keys[:-2]:
            m = m[key]
        m[keys[-2]] = keys[-1]

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        *(
            (add_file(path), "leads out of the pack")
            for path in ("../x", "/etc/passwd", "a/../b", "a\\b", "index/..", "//x")
        ),
        *(
            (add_file(path), "no name that a pack's file can have")
            for path in ("", ".", "a//b", "a/", ".hidden", "a b", "caf\u00e9", "a" * 101, "C:x")
        ),
        *((add_file(path), "has no name") for path in ("a/b/c/d/e", "-rf", "~x", "a*", "$HOME")),
        *(
            (add_file(path), "is not to be named")
            for path in ("imagery.mbtiles-wal", "x-journal", "MANIFEST.JSON", "manifest.sig")
        ),
        (add_file("imagery.mbtiles"), "is named twice"),
        (add_file("Imagery.MBTiles"), "is named twice"),
        (add_file("imagery.mbtiles/x"), "lies in what is a file itself"),
        (lambda m: m["files"].extend([m["files"][0]] * 100_000), "are more than"),
        (put("files", 0, "size", -1), "size is -1"),
        (put("files", 0, "size", 1 << 60), "size is"),
        (put("files", 0, "sha256", "0" * 63), "is no sha256"),
        (put("files", 0, "sha256", "A" * 64), "is no sha256"),
        (put("model", "sha256", "?"), "is no sha256"),
        (put("model", "descriptor_dim", 0), "descriptor_dim is 0"),
        (put("model", "descriptor_dim", 1 << 40), "descriptor_dim is"),
        (put("model", "id", ""), "id is empty"),
        (put("name", "a\x1b[2Jb"), r"U\+001B"),
        (put("name", "a\u202eb"), r"U\+202E"),
        (put("name", "\ud800"), r"U\+D800"),
        (put("name", "a\nb"), r"U\+000A"),
        (put("name", " "), "is empty"),
        (put("name", "n" * 201), "at most 200"),
        (put("name", "n" * 50_000), "at most 20000"),
        (put("a\nb", 1), r"a key holds the invisible character U\+000A"),
        (put("imagery", 0, "attribution", "\u2028"), "is empty|U"),
        (put("bounds", "north", 91.0), "north is 91"),
        (put("bounds", "south", 80.0), "north is 1.0"),
        (put("bounds", "east", 1e400), "Infinity"),
        (put("bounds", "west", float("nan")), "NaN is no number"),
        (put("bounds", "west", 10**400), "more digits"),
        (put("levels", [18, 18]), "not sorted|agree"),
        (put("levels", [31]), "agree"),
        (put("shards", 0, "count", 0), "count is 0|0 tiles"),
        (put("shards", 0, "count", 10**30), "tiles|count"),
        (put("shards", 0, "cell_col", 1 << 19), "cell_col is"),
        (put("shards", 0, "cell_row", -1), "cell_row is -1"),
        (lambda m: m["shards"].append(m["shards"][0]), "stands there twice"),
        (put("terrain", json.loads(NO_LIST + '"level": 31, "sigma_m": 1}')), "level is 31"),
        (put("terrain", json.loads(NO_LIST + '"level": 9, "sigma_m": -1}')), "sigma_m is -1"),
        (put("format_version", "2" * 3000), "format_version is str"),
        (put("format_version", True), "format_version is True"),
        (put("imagery", [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]), "nested too deeply"),
    ],
)
def test_no_value_of_a_manifest_is_taken_that_no_pack_has(pack, change, sentence):
    assert re.search(sentence, refused(pack, change))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"a":' * 50_000,
        b'{"name": "a", "name": "b"}',
        b'{"a": 1e999}',
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b" " * (MOST_MANIFEST_BYTES + 1),
    ],
    ids=["deep", "deep tables", "twice", "infinite", "UTF-16", "mark", "digits", "long"],
)
def test_no_text_stops_the_reading_of_a_manifest(pack, data):
    (pack / MANIFEST_NAME).write_bytes(data)
    began = time.process_time()
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_manifest(pack)
    assert time.process_time() - began < 5.0


def test_strict_json_reads_what_is_plain():
    assert parse_strictly('{"a": [1, 2.5, "b\u00fc", null]}'.encode(), 99) == {
        "a": [1, 2.5, "b\u00fc", None]
    }


def test_text_is_made_plain_before_it_is_written():
    assert made_plain(" a\x1b[0m\r\n b\u202e\t") == "a [0m b"
    assert made_plain("می\u200cخواهم") == "می\u200cخواهم"
    assert made_plain("x" * 9, 4) == "xxxx" and made_plain("\n") == ""


def test_a_manifest_that_never_ends_is_not_waited_for(pack):
    (pack / MANIFEST_NAME).unlink()
    os.mkfifo(pack / MANIFEST_NAME)
    with pytest.raises(InputError, match="no ordinary file"):
        read_manifest(pack)
    (pack / MANIFEST_NAME).unlink()
    (pack / MANIFEST_NAME).symlink_to("/dev/zero")
    with pytest.raises(InputError, match="a link"):
        read_manifest(pack)


def test_only_ordinary_files_within_are_opened(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a").write_bytes(b"good")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    (tmp_path / "in" / "a").symlink_to(tmp_path / "secret")
    with open_within(tmp_path / "in", "deep/a") as file:
        assert file.read() == b"good"
    for name in ("a", "link/secret", "deep", "none", "deep/a/b"):
        with pytest.raises(OSError):
            open_within(tmp_path / "in", name)
    with pytest.raises(OSError):
        open_ordinary(Path("/dev/zero"))
    (tmp_path / "by").symlink_to(tmp_path / "in")  # the folder itself may be reached by a link
    with open_within(tmp_path / "by", "deep/a") as file:
        assert file.read() == b"good"


def test_a_file_that_grows_while_it_is_hashed_is_not_read_for_ever(pack, monkeypatch):
    manifest = read_manifest(pack)
    path = pack / manifest.files[0].path
    status = path.stat()
    monkeypatch.setattr(os, "fstat", lambda _: status)
    with path.open("ab") as file:
        file.truncate(10 << 30)  # 10 GiB of zeros that take no place
    began = time.monotonic()
    with pytest.raises(InputError, match="sha256"):
        check_files(pack, manifest)
    assert time.monotonic() - began < 5.0


def test_credits_name_everyone_once(pack):
    manifest = read_manifest(pack)
    assert manifest.credits() == ("none (none)",)
    sources = (
        ImagerySource("a", "unknown", "CC BY 4.0", "City"),
        ImagerySource("b", "2024", "CC BY 4.0", "City"),
        ImagerySource("c", "2024", "unknown", "unknown"),
        ImagerySource("d", "2024", "", "Someone"),
    )
    many = dataclasses.replace(manifest, imagery=sources)
    assert many.credits() == ("City (CC BY 4.0)", "Someone (unknown)")
    (pack / MANIFEST_NAME).write_text(manifest_text(many))
    assert read_manifest(pack) == many


def tiles_file(path: Path, *statements: str, data: bytes = b"x") -> Path:
    writer = MBTilesWriter(path)
    writer.put(LEVEL, X, Y, data)
    writer.commit()
    for statement in statements:
        writer._db.execute(statement)
    writer.commit()
    writer.close()
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT * FROM tiles",
        "CREATE TABLE more (a)",
        "CREATE TRIGGER t AFTER INSERT ON tiles BEGIN DELETE FROM tiles; END",
        "CREATE INDEX i ON tiles (tile_data)",
        "ALTER TABLE metadata ADD COLUMN more",
        "CREATE VIRTUAL TABLE v USING fts5(a)",
        "DROP INDEX tile_index",
    ],
)
def test_a_pack_has_its_own_tables_and_no_others(tmp_path, statement):
    path = tiles_file(tmp_path / "a.mbtiles", statement)
    with pytest.raises(InputError, match="not those of a map pack"):
        Imagery(path)
    with pytest.raises(InputError, match="not those of a map pack"):
        Terrain(path, 9, 1.0)


def test_a_view_that_never_ends_is_stopped_in_an_input(tmp_path):
    path = tmp_path / "a.mbtiles"
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE VIEW tiles AS WITH RECURSIVE r(zoom_level) AS "
            "(SELECT 1 UNION ALL SELECT zoom_level FROM r) SELECT zoom_level, 0 AS tile_column, "
            "0 AS tile_row, '' AS tile_data FROM r"
        )
    began = time.process_time()
    with pytest.raises(InputError, match="interrupted"):
        MBTiles(path)
    assert time.process_time() - began < 10.0


@pytest.mark.parametrize("value", ["1000000000000", "NULL", "'text'", "1.5"])
def test_a_tile_that_is_no_blob(tmp_path, value):
    path = tiles_file(tmp_path / "a.mbtiles", f"UPDATE tiles SET tile_data = {value}")
    with pytest.raises(InputError, match="is no picture"):
        MBTiles(path, of_pack=True).tile(LEVEL, X, Y)


@pytest.mark.parametrize("value", ["'text'", "-1", "1 << 40", "x'00'", "NULL"])
def test_a_tile_that_lies_nowhere(tmp_path, value):
    path = tiles_file(tmp_path / "a.mbtiles", f"UPDATE tiles SET tile_column = {value}")
    with pytest.raises(InputError, match=r"a\.mbtiles"):
        MBTiles(path, of_pack=True).positions(LEVEL)


@pytest.mark.parametrize("value", ["31", "-1", "1 << 62", "'text'"])
def test_a_level_that_no_map_has(tmp_path, value):
    path = tiles_file(tmp_path / "a.mbtiles", f"UPDATE tiles SET zoom_level = {value}")
    with pytest.raises(InputError, match=r"a\.mbtiles"):
        MBTiles(path)


def png_of(width: int, height: int) -> bytes:
    """65000x65000 pixels in a hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data", [png_of(65_000, 65_000), png_of(257, 256), b"", b"GIF89a", b"\xff\xd8" + b"\0" * 99]
)
def test_a_picture_of_another_size_is_not_decoded(tmp_path, monkeypatch, data):
    path = tiles_file(tmp_path / "a.mbtiles", data=data)
    imagery, terrain = Imagery(path), Terrain(path, LEVEL, 1.0)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=f"{LEVEL}/{X}/{Y}"):
        imagery.picture(LEVEL, X * 256, Y * 256)
    with pytest.raises(InputError, match=f"{LEVEL}/{X}/{Y}"):
        terrain._decoded(X, Y)


def damaged_png(*chunks: tuple[int, bytes]) -> bytes:
    """A sound tile with a chunk of this length and name set in before its pixels."""
    data = bytes(cv2.imencode(".png", np.full((256, 256, 3), 9, np.uint8))[1])
    more = b"".join(struct.pack(">I", n) + kind + bytes(min(n, 26) + 4) for n, kind in chunks)
    return data[:33] + more + data[33:]


@pytest.mark.parametrize(
    "chunk", [(3_640_664_064, b"IDAT"), (26, b"acTL"), (26, b"fcTL"), (13, b"IHDR")]
)
def test_a_chunk_of_gigabytes_or_of_an_animation_is_not_decoded(tmp_path, monkeypatch, chunk):
    """OpenCV allocates what a chunk claims: found by tests/fuzz/fuzz_pack_tiles.py."""
    imagery = Imagery(tiles_file(tmp_path / "a.mbtiles", data=damaged_png(chunk)))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match="is no whole"):
        imagery.picture(LEVEL, X * 256, Y * 256)


def test_a_harmless_chunk_is_no_reason_to_refuse_a_picture(tmp_path):
    imagery = Imagery(tiles_file(tmp_path / "a.mbtiles", data=damaged_png()))
    assert (imagery.picture(LEVEL, X * 256, Y * 256) == 9).all()


def test_sqlite_quotes_nothing_that_moves_a_cursor(tmp_path):
    path = tiles_file(tmp_path / "a.mbtiles")
    path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE metadata", b"CREATE TABLE \x1b[2J\xff\x00ta")
    )
    with pytest.raises(InputError) as refused:
        MBTiles(path)
    assert str(refused.value).isprintable()


def test_more_pixels_than_opencv_takes_are_an_input_error():
    with pytest.raises(InputError, match="cannot be decoded"):
        decode_tile(png_of(65_000, 65_000), "t")


def test_a_grey_picture_with_alpha_is_a_picture():
    grey = np.full((256, 256, 4), 90, np.uint8)
    assert decode_tile(bytes(cv2.imencode(".png", grey)[1]), "t").shape == (256, 256, 3)


MOUNTS = """22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
40 22 8:17 / /media/stick rw - vfat /dev/sdb1 rw
41 22 0:50 / /mnt/far rw - nfs4 server:/x rw
"""


def test_which_file_systems_keep_their_times(tmp_path):
    (tmp_path / "mounts").write_text(MOUNTS)
    for device, keeps in ((os.makedev(259, 2), True), (os.makedev(8, 17), False)):
        assert keeps_change_times(device, tmp_path / "mounts") is keeps
    assert not keeps_change_times(os.makedev(0, 50), tmp_path / "mounts")
    assert not keeps_change_times(os.makedev(9, 9), tmp_path / "mounts")
    assert not keeps_change_times(os.makedev(259, 2), tmp_path / "none")
    assert makes_inodes_up(os.makedev(8, 17), tmp_path / "mounts")
    for device in ((259, 2), (0, 50), (9, 9)):
        assert not makes_inodes_up(os.makedev(*device), tmp_path / "mounts")
    assert not makes_inodes_up(os.makedev(8, 17), tmp_path / "none")


def test_a_sound_pack_opens(pack):
    assert MapPack.open(pack).contains(*_middle())


def _middle() -> tuple[float, float]:
    lat, lon = pixel_to_latlon((X + 0.5) * 256, (Y + 0.5) * 256, LEVEL)
    return float(lat), float(lon)
