"""The same tiles, their rows counted from either side, come out at the same place or not at all."""

import contextlib
import json
import shlex
import shutil
import sqlite3

import numpy as np
import pytest

from maps.provenance import Provenance, imagery_sources
from maps.sources.tile_rows import JSON_FILE, TMS_FILE
from maps.sources.tile_source import open_mbtiles, open_xyz
from onboard.errors import InputError
from tests.maps.small_imagery import texture, write_mbtiles, write_xyz

LEVEL, X0 = 18, 155_000
EQUATOR = 1 << LEVEL - 1  # the first row south of it
Y0 = EQUATOR - 3  # of four rows the first: their mirror is of other ground, and touches it
PICTURE = texture(1024, 512)
WINDOW = LEVEL, X0 * 256, Y0 * 256, 512, 1024
WORLD = "-180.0,-85.0511,180.0,85.0511"
ELSEWHERE = (
    "its bounds say .*, its tiles lie at .*; if .* lie right, run sqlite3 .*DELETE FROM metadata"
)
TMS = """<?xml version="1.0" encoding="utf-8"?>
<TileMap version="1.0.0" tilemapservice="http://tms.osgeo.org/1.0.0"><Title>a</Title>
<SRS>{srs}</SRS>{box}<Origin x="-20037508.34" y="-20037508.34"/>
<TileFormat width="256" height="256" mime-type="image/png" extension="png"/>
<TileSets profile="{profile}"><TileSet href="18" units-per-pixel="0.597" order="18"/></TileSets>
</TileMap>"""


def as_gdal2tiles_writes(folder, srs="EPSG:3857", profile="mercator", box=""):
    write_xyz(folder, PICTURE, LEVEL, X0, Y0)
    for column in (folder / str(LEVEL)).iterdir():
        for file in sorted(column.iterdir()):
            other = (1 << LEVEL) - 1 - int(file.stem)
            file.rename(file.with_name(f"{other}.tmp"))
        for file in sorted(column.iterdir()):
            file.rename(file.with_suffix(".png"))
    (folder / TMS_FILE).write_text(TMS.format(srs=srs, profile=profile, box=box))
    return folder


def box_tag(box, turned=False):
    west, south, east, north = (box[i] for i in ((1, 0, 3, 2) if turned else (0, 1, 2, 3)))
    return f'<BoundingBox minx="{west}" miny="{south}" maxx="{east}" maxy="{north}"/>'


@pytest.fixture
def true(tmp_path):
    return open_xyz(write_xyz(tmp_path / "xyz", PICTURE, LEVEL, X0, Y0))


def degrees(source):
    south, north = (np.degrees(np.arctan(np.sinh(m / 6378137.0))) for m in source.bounds_m[1::2])
    west, east = (np.degrees(m / 6378137.0) for m in source.bounds_m[::2])
    return west, south, east, north


@pytest.mark.parametrize("of", ["parent", "zoom"])
def test_a_tms_folder_lies_where_it_was_made(tmp_path, true, of):
    folder = as_gdal2tiles_writes(tmp_path / "tms")
    tms = open_xyz(folder if of == "parent" else folder / str(LEVEL))
    assert tms.bounds_m == true.bounds_m
    assert np.array_equal(tms.read(*WINDOW), PICTURE)
    assert folder / TMS_FILE in tms.files


def test_its_box_is_read_in_degrees_metres_and_latitude_first(tmp_path, true):
    for i, box in enumerate(
        (box_tag(true.bounds_m), box_tag(degrees(true)), box_tag(degrees(true), turned=True))
    ):
        folder = as_gdal2tiles_writes(tmp_path / str(i), "EPSG:900913", "global-mercator", box)
        assert open_xyz(folder).bounds_m == true.bounds_m


def test_a_tms_file_beside_tiles_that_count_from_the_north_is_refused(tmp_path, true):
    folder = tmp_path / "xyz"
    (folder / TMS_FILE).write_text(
        TMS.format(srs="EPSG:3857", profile="mercator", box=box_tag(degrees(true)))
    )
    with pytest.raises(InputError, match=rf"{TMS_FILE}: .*only when their rows are counted from"):
        open_xyz(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TMS.format(srs="EPSG:4326", profile="geodetic", box=""), "'geodetic' in EPSG:4326, not"),
        (TMS.format(srs="EPSG:32645", profile="raster", box=""), "'raster'.*gdal2tiles --xyz"),
        (TMS.format(srs="EPSG:4326", profile="mercator", box=""), "in EPSG:4326, not"),
        ("<TileMap/>", "'unknown' in an unknown system"),
        ("<TileMap>", "cannot be read"),
        ('<!DOCTYPE k [<!ENTITY a "b">]><k>&a;</k>', "cannot be read"),
    ],
)
def test_other_tilings_are_refused_by_name(tmp_path, text, sentence):
    folder = write_xyz(tmp_path / "t", PICTURE, LEVEL, X0, Y0)
    (folder / TMS_FILE).write_text(text)
    with pytest.raises(InputError, match=rf"{TMS_FILE}: .*{sentence}"):
        open_xyz(folder)


def mbtiles(path, from_north=False, y0=Y0, **metadata):
    write_mbtiles(path, PICTURE, LEVEL, X0, y0)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        if from_north:
            last = (1 << LEVEL) - 1
            db.execute(f"UPDATE tiles SET tile_row = {last} - tile_row + 10000000")
            db.execute("UPDATE tiles SET tile_row = tile_row - 10000000")
        db.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
    return path


def text(box):
    return ",".join(map(str, box))


@pytest.mark.parametrize("scheme", ["tms", "xyz", "XYZ ", "", "wms"])
def test_no_scheme_turns_mbtiles_that_count_from_the_south(tmp_path, true, scheme):
    for i, bounds in enumerate((text(degrees(true)), WORLD, "")):
        path = mbtiles(tmp_path / f"{i}.mbtiles", scheme=scheme, bounds=bounds)
        source = open_mbtiles(path)
        assert source.bounds_m == pytest.approx(true.bounds_m)
        assumed = i > 0 and scheme.strip().lower() == "xyz"
        assert (source.note is not None) == assumed
        if assumed:
            assert f"{i}.mbtiles: its metadata's scheme is xyz" in source.note
            assert "taken to count from the south" in source.note


def test_what_was_assumed_of_the_side_is_told_once(tmp_path, capsys):
    path = mbtiles(tmp_path / "a.mbtiles", scheme="xyz")
    imagery_sources([path], [[open_mbtiles(path)]], Provenance(licences=("CC0",)))
    assert capsys.readouterr().err.count("scheme is xyz") == 1


@pytest.mark.parametrize("y0", [Y0, EQUATOR - 2000])
def test_mbtiles_that_count_from_the_north_are_turned_where_the_bounds_bear_it_out(tmp_path, y0):
    true = open_xyz(write_xyz(tmp_path / "t", PICTURE, LEVEL, X0, y0))
    bounds = text(degrees(true))
    path = mbtiles(tmp_path / "a.mbtiles", True, y0, scheme="xyz", bounds=bounds)
    source = open_mbtiles(path)
    assert source.bounds_m == pytest.approx(true.bounds_m) and source.note is None
    window = LEVEL, X0 * 256, y0 * 256, 512, 1024
    assert np.abs(source.read(*window).astype(int) - PICTURE).mean() < 3  # JPEG
    unsaid = mbtiles(tmp_path / "b.mbtiles", True, y0, bounds=bounds)
    with pytest.raises(InputError, match=r"b\.mbtiles: .*only when their rows are counted"):
        open_mbtiles(unsaid)


def test_mbtiles_that_lie_elsewhere_than_they_say_are_refused(tmp_path, true):
    west, south, east, north = degrees(true)
    for name, bounds, sentence in (
        ("mirror", (west, -north, east, -south), "only when their rows are counted from the other"),
        ("north", (west, south + 1, east, north + 1), ELSEWHERE),
        ("east", (west + 1, south, east + 1, north), ELSEWHERE),
        ("turned", (south, west, north, east), ELSEWHERE),
        ("beyond", (west + 180, south, east + 180, north), ELSEWHERE),
    ):
        path = mbtiles(tmp_path / f"{name}.mbtiles", bounds=text(bounds))
        with pytest.raises(InputError, match=rf"{name}\.mbtiles: .*{sentence}"):
            open_mbtiles(path)


@pytest.mark.parametrize(
    "bounds",
    ["", "x", "1,2,3", "nan,0,1,1", "0,0,0,0", WORLD, "-180,-60,180,85", "170,-1,-170,1",
     "-180.0,-85.05112877980659,181.7578125,85.2004753240606", "1e308,-1e308,1.1e308,1e308",
     "-180.0000000001,-85.06,180.0000000001,85.06", "-330,-1,-325,1"],
)  # fmt: skip
def test_bounds_that_say_nothing_or_more_change_nothing(tmp_path, true, bounds):
    path = mbtiles(tmp_path / "a.mbtiles", bounds=bounds)
    assert open_mbtiles(path).bounds_m == pytest.approx(true.bounds_m)


def test_a_mismatch_repeats_the_bounds_and_what_mends_it_does(tmp_path):
    path = mbtiles(tmp_path / "a b.mbtiles", bounds="27.6,85.5,27.7,85.6")
    with pytest.raises(InputError, match=r"say 27\.60000,85\.50000,27\.70000,85\.6") as refused:
        open_mbtiles(path)
    file, statement = shlex.split(str(refused.value).split(" run sqlite3 ")[1])[:2]
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute(statement.rstrip(","))
    open_mbtiles(path)


def test_a_folder_without_its_tms_file_is_still_xyz(tmp_path, true):
    shutil.copytree(tmp_path / "xyz", tmp_path / "again")
    assert open_xyz(tmp_path / "again").bounds_m == true.bounds_m


def test_a_folder_lies_where_its_metadata_says(tmp_path, true):
    folder = tmp_path / "xyz"
    west, south, east, north = degrees(true)
    for bounds in (text((west, south, east, north)), [west, south, east, north], "", None, [1], {}):
        (folder / JSON_FILE).write_text(json.dumps({"bounds": bounds, "scheme": "tms"}))
        assert open_xyz(folder / str(LEVEL)).bounds_m == true.bounds_m
    for content in ("[" * 100_000, "[]", "{}", "x"):
        (folder / JSON_FILE).write_text(content)
        assert open_xyz(folder).bounds_m == true.bounds_m
    for bounds in (
        [10**400, 1, 2, 3], [350000, 3056000, 352000, 3058000], [south, west, north, east],
        [[south, west], [north, east]], (west, south + 1, east, north + 1),
    ):  # fmt: skip
        (folder / JSON_FILE).write_text(json.dumps({"bounds": bounds}))
        assert open_xyz(folder).bounds_m == true.bounds_m
    (folder / JSON_FILE).write_text(json.dumps({"bounds": text((west, -north, east, -south))}))
    with pytest.raises(InputError, match=rf"{JSON_FILE}: .*only when their rows are counted"):
        open_xyz(folder)


@pytest.mark.parametrize("lon_deg", [175.0, 179.9, -178.0])
@pytest.mark.parametrize("bounds", ["166.0,-48.0,184.0,-15", "-194,-48,-176,-15"])
def test_bounds_over_the_antimeridian_hold_both_of_its_sides(tmp_path, lon_deg, bounds):
    x0, y0 = int((lon_deg + 180) / 360 * (1 << LEVEL)), EQUATOR + 13_000  # 17.6 S
    path = tmp_path / "fiji.mbtiles"
    write_mbtiles(path, PICTURE, LEVEL, x0, y0)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO metadata VALUES ('bounds', ?)", (bounds,))
    assert open_mbtiles(path).bounds_m[0] == pytest.approx(lon_deg * 111_319.49, abs=160)
