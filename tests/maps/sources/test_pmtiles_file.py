"""Files of the `pmtiles` library's own writer are read; damaged ones are refused in a sentence."""

import gzip
import io

import brotli
import cv2
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pmtiles.tile import (
    Compression,
    Entry,
    TileType,
    serialize_directory,
    serialize_header,
    tileid_to_zxy,
    zxy_to_tileid,
)
from pmtiles.writer import Writer

from maps.sources.pmtiles_directory import (
    BrokenDirectory,
    parse_directory,
    read_directories,
)
from maps.sources.pmtiles_file import PMTilesFile, open_pmtiles
from maps.sources.tile_extent import extent_of
from maps.sources.tile_source import open_xyz
from onboard.errors import InputError
from tests.maps.small_imagery import texture, tiles_of, write_xyz

LEVEL, X0, Y0 = 12, 2000, 1500
HEADER = {"tile_compression": Compression.NONE, "tile_type": TileType.PNG}


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes()


def pmtiles_bytes(tiles, header=HEADER, metadata=None) -> bytes:
    """tiles: {(z, x, y): bytes}."""
    out = io.BytesIO()
    writer = Writer(out)
    for position in sorted(tiles, key=lambda p: zxy_to_tileid(*p)):
        writer.write_tile(zxy_to_tileid(*position), tiles[position])
    writer.finalize(dict(header), metadata or {})
    return out.getvalue()


def small_tiles():
    return {
        (LEVEL, X0 + x, Y0 + y): png(tile) for (x, y), tile in tiles_of(texture(512, 768)).items()
    }


def positions(directory, level):
    return [(x, y) for block in directory.blocks(level) for x, y in block.tolist()]


@pytest.fixture
def write(tmp_path):
    def file(data: bytes):
        (tmp_path / "a.pmtiles").write_bytes(data)
        return tmp_path / "a.pmtiles"

    return file


def test_it_reads_like_the_folder_of_the_same_tiles(write, tmp_path):
    source = open_pmtiles(write(pmtiles_bytes(small_tiles())))
    folder = open_xyz(write_xyz(tmp_path / "xyz", texture(512, 768), LEVEL, X0, Y0))
    assert source.bounds_m == folder.bounds_m and source.native_level == LEVEL
    window = LEVEL, X0 * 256 - 10, Y0 * 256 - 20, 800, 600
    assert np.array_equal(source.read(*window), folder.read(*window))


def test_many_tiles_in_leaves_and_runs_are_all_found(write):
    rng = np.random.default_rng(3)
    grid = [(14, x, y) for x in range(9000, 9150) for y in range(6000, 6150)]
    kinds = [bytes([k]) * (k + 1) for k in range(7)]
    tiles = {p: kinds[rng.integers(7)] for p in grid if rng.random() < 0.9}
    tiles |= {(9, x, y): b"sea" for x in range(280, 290) for y in range(180, 190)}  # runs
    file = PMTilesFile(write(pmtiles_bytes(tiles)))
    assert file.levels == (9, 14)
    assert all(file.tile(*p) == data for p, data in tiles.items())
    assert all(file.tile(*p) is None for p in grid if p not in tiles)
    for level in file.levels:
        expected = sorted((x, y) for z, x, y in tiles if z == level)
        assert sorted(positions(file._directory, level)) == expected
    assert file.tile(14, -1, 0) is None and file.tile(14, 1 << 14, 0) is None


@pytest.mark.parametrize("block", [1, 3, 7, 1 << 18])
def test_a_run_over_several_zooms_and_blocks_is_whole(monkeypatch, block):
    monkeypatch.setattr("maps.sources.pmtiles_directory.BLOCK_TILES", block)
    runs = [Entry(3, 0, 5, 6), Entry(15, 5, 5, 1), Entry(20, 0, 5, 30)]
    found = parse_directory(gzip.decompress(serialize_directory(runs)))
    ids = [i for run in runs for i in range(run.tile_id, run.tile_id + run.run_length)]
    for level in found.levels():
        expected = [tileid_to_zxy(i)[1:] for i in ids if tileid_to_zxy(i)[0] == level]
        assert positions(found, level) == expected
        extent = extent_of(level, found.blocks(level))
        xs, ys = zip(*expected, strict=True)
        assert (extent.x0, extent.y0) == (min(xs), min(ys))
        assert (extent.x1, extent.y1) == (max(xs) + 1, max(ys) + 1)
        assert (extent.first, extent.count) == (expected[0], len(expected))


@given(st.integers(0, 26).flatmap(lambda z: st.tuples(st.just(z), st.integers(0, 4**z - 1))))
def test_hilbert_numbers_are_the_librarys(place):
    level, along = place
    tile_id = (4**level - 1) // 3 + along
    found = parse_directory(gzip.decompress(serialize_directory([Entry(tile_id, 0, 1, 1)])))
    assert found.levels() == (level,)
    assert positions(found, level) == [tileid_to_zxy(tile_id)[1:]]


@pytest.mark.parametrize(
    ("how", "press"),
    [
        (Compression.GZIP, gzip.compress),
        (Compression.BROTLI, lambda data: brotli.compress(data, quality=1)),
        (Compression.ZSTD, zstandard.compress),
    ],
)
def test_every_compression_is_read_and_bombs_are_cut_off(write, how, press):
    tiles = {p: press(t) for p, t in small_tiles().items()}
    header = {**HEADER, "tile_compression": how}
    file = PMTilesFile(write(pmtiles_bytes(tiles, header)))
    assert file.tile(LEVEL, X0, Y0) == small_tiles()[LEVEL, X0, Y0]
    bomb = press(bytes(20 << 20))
    file = PMTilesFile(write(pmtiles_bytes({(LEVEL, X0, Y0): bomb}, header)))
    with pytest.raises(InputError, match="decompress to more than 8 MiB"):
        file.tile(LEVEL, X0, Y0)
    cut = PMTilesFile(write(pmtiles_bytes({(LEVEL, X0, Y0): press(b"x" * 999)[:-3]}, header)))
    with pytest.raises(InputError, match="cannot be decompressed"):
        cut.tile(LEVEL, X0, Y0)


def test_the_attribution_is_taken_without_html(write):
    said = {"attribution": '<a href="https://x.org">(c) the\nSurvey\x1b[2J</a> '}
    assert open_pmtiles(write(pmtiles_bytes(small_tiles(), HEADER, said))).attribution == (
        "(c) the Survey[2J"
    )
    assert open_pmtiles(write(pmtiles_bytes(small_tiles()))).attribution is None


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (TileType.MVT, "vector tiles"),
        (TileType.MLT, "vector tiles"),
        (TileType.AVIF, "AVIF"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(write, kind, sentence):
    with pytest.raises(InputError, match=sentence):
        open_pmtiles(write(pmtiles_bytes(small_tiles(), {**HEADER, "tile_type": kind})))


def test_other_files_and_versions_are_named(write):
    for data in (b"", b"PMTiles", b"\x89PNG" * 60, b"\xff" * 200):
        with pytest.raises(InputError, match="not a PMTiles file"):
            open_pmtiles(write(data))
    with pytest.raises(InputError, match="version 3"):
        open_pmtiles(write(b"PMTiles\x02" + bytes(200)))
    with pytest.raises(InputError, match="cannot be read"):
        open_pmtiles(write(b"").with_name("none.pmtiles"))


def laid_out(**changes: object) -> bytes:
    """A file of one tile whose header says something else."""
    root = serialize_directory([Entry(zxy_to_tileid(LEVEL, X0, Y0), 0, 4, 1)])
    header = {
        "root_offset": 127, "root_length": len(root), "metadata_offset": 127 + len(root),
        "metadata_length": 0, "leaf_directory_offset": 127 + len(root),
        "leaf_directory_length": 0, "tile_data_offset": 127 + len(root), "tile_data_length": 4,
        "clustered": True, "internal_compression": Compression.GZIP,
        "tile_compression": Compression.NONE, "tile_type": TileType.PNG,
        "min_zoom": LEVEL, "max_zoom": LEVEL,
    }  # fmt: skip
    return serialize_header({**header, **changes}) + root + b"tile"


@pytest.mark.parametrize("section", ["root", "metadata", "leaf_directory", "tile_data"])
@pytest.mark.parametrize("number", ["offset", "length"])
def test_a_section_beyond_the_file_is_refused(write, section, number):
    assert PMTilesFile(write(laid_out())).tile(LEVEL, X0, Y0) == b"tile"
    for far in (1 << 20, (1 << 64) - 1):
        with pytest.raises(InputError, match="would end at byte"):
            open_pmtiles(write(laid_out(**{f"{section}_{number}": far})))


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((-4.2, 42.0, -3.9, 44.0), None),
        ((0.0, 0.0, 0.0, 0.0), None),
        ((-4.2, -44.0, -3.9, -42.0), "it says .* only when their rows are counted from the other"),
        ((4.0, 42.0, 4.3, 44.0), "its bounds say .*, its tiles lie at .*pmtiles edit"),
    ],
)
def test_tiles_that_lie_elsewhere_than_the_header_says_are_refused(write, box, sentence):
    keys = ("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7")
    header = {**HEADER, **{k: round(v * 1e7) for k, v in zip(keys, box, strict=True)}}
    path = write(pmtiles_bytes(small_tiles(), header))
    if sentence is None:
        assert open_pmtiles(path).native_level == LEVEL
    else:
        with pytest.raises(InputError, match=rf"a\.pmtiles: {sentence}"):
            open_pmtiles(path)


def directories(root: list[Entry], leaves: list[list[Entry]] = (), tiles_bytes: int = 1000):
    packed = [gzip.decompress(serialize_directory(entries)) for entries in leaves]
    starts = np.cumsum([0, *map(len, packed)])
    whole = b"".join(packed)
    root = [
        Entry(e.tile_id, int(starts[e.offset]), len(packed[e.offset]), 0)
        if e.run_length == 0 and e.offset < len(packed) else e
        for e in root
    ]  # fmt: skip
    return read_directories(
        lambda offset, length: whole[offset : offset + length],
        gzip.decompress(serialize_directory(root)),
        len(whole),
        tiles_bytes,
    )


def test_leaves_are_followed_but_not_in_circles():
    leaf = [Entry(10, 0, 5, 2), Entry(12, 5, 5, 1)]
    found = directories([Entry(4, 0, 9, 1), Entry(10, 0, 0, 0), Entry(40, 9, 9, 1)], [leaf])
    assert found.ids.tolist() == [4, 10, 12, 40] and found.find(11) == (0, 5)
    with pytest.raises(BrokenDirectory, match="circle"):
        directories([Entry(10, 0, 0, 0), Entry(20, 0, 0, 0)], [leaf])
    itself = gzip.decompress(serialize_directory([Entry(1, 0, 8, 0)]))
    with pytest.raises(BrokenDirectory, match="circle"):
        read_directories(lambda offset, length: itself, itself, 100, 100)


@pytest.mark.parametrize(
    ("entries", "clause"),
    [
        ([Entry(1, 990, 20, 1)], "beyond the file's end"),
        ([Entry(1, 0, 20, 0)], "beyond the file's end"),
        ([Entry(1, 0, 5, 9), Entry(4, 5, 5, 1)], "not in order"),
        ([Entry(1, 0, 5, 1), Entry(1, 5, 5, 1)], "empty entry"),
        ([Entry(1, 0, 0, 1)], "empty entry"),
        ([Entry(1, 0, 5, 1 << 30)], "more than 20,000,000 tiles"),
        ([Entry(1, 0, 1 << 50, 1)], "beyond the file's end"),
        ([Entry(1 << 55, 0, 5, 1)], "beyond zoom 26"),
        ([Entry(1, 0, 5, 1 << 60)], "too large"),
        ([], "no tiles"),
    ],
)
def test_a_wrong_entry_is_named(entries, clause):
    with pytest.raises(BrokenDirectory, match=clause):
        directories(entries)


WHOLE = pmtiles_bytes({p: t[:60] for p, t in small_tiles().items()})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(WHOLE)),
)
def test_no_bytes_make_more_than_a_sentence(tmp_path_factory, changes, length):
    whole = bytearray(WHOLE)
    for at, value in changes:
        whole[min(at, len(whole) - 1)] = value
    path = tmp_path_factory.getbasetemp() / "hostile.pmtiles"
    path.write_bytes(whole[:length] if length % 4 == 0 else whole)
    try:
        file = PMTilesFile(path)
        file.attribution()
        for level in file.levels:
            for position in next(file._directory.blocks(level))[:20].tolist():
                file.tile(level, *position)
        file.deepest()
    except InputError as e:
        assert "hostile.pmtiles" in str(e)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_directory_makes_more_than_a_clause(data):
    try:
        found = read_directories(lambda offset, length: data, data, 1 << 40, 1 << 40)
    except BrokenDirectory:
        return
    assert found.ids.min() >= 0 and found.offsets.min() >= 0 and found.levels()
