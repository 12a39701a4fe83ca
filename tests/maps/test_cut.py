"""Packs cut out of cell stores."""

import shutil

import numpy as np
import pytest
from shapely.geometry import box

from maps.build import BuildRequest, build_pack
from maps.cells import assemble
from maps.cells.cell import Cell
from maps.cells.store import TILES_NAME, CellStore, Step
from maps.cut import CutRequest, cut_pack
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.pack.mbtiles import MBTiles
from onboard.pack.pack_manifest import IMAGERY_NAME, read_manifest
from tests.maps.small_imagery import texture, write_xyz
from tools.cli import main

ROOT = 13
X0, Y0, SIDE = 32 * 6000 - 3, 32 * 3000 - 3, 6  # level 18: around a corner of four cells


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Of levels 17 and 18."""
    folder = tmp_path_factory.mktemp("cut")
    write_xyz(folder / "xyz", texture(SIDE * TILE_PX, SIDE * TILE_PX, seed=3), 18, X0, Y0)
    request = BuildRequest((folder / "xyz",), None, levels=(17, 18), store=str(folder / "store"))
    build_pack(request, load_bundle())
    return folder / "store"


def over(x0, y0, x1, y1, level=18):
    """The ground of the tiles x0 <= x < x1, y0 <= y < y1, less a hair."""
    hair = 1 / 64
    north, west = pixel_to_latlon((x0 + hair) * TILE_PX, (y0 + hair) * TILE_PX, level)
    south, east = pixel_to_latlon((x1 - hair) * TILE_PX, (y1 - hair) * TILE_PX, level)
    return box(float(west), float(south), float(east), float(north))


EVERYTHING = over(X0, Y0, X0 + SIDE, Y0 + SIDE)
CORNER = over(X0 + 2, Y0 + 2, X0 + 5, Y0 + 4)  # of all four cells


def files_of(pack):
    return {str(p.relative_to(pack)): p.read_bytes() for p in pack.rglob("*") if p.is_file()}


def test_a_cut_holds_the_areas_tiles_and_nothing_else(store, tmp_path):
    cut_pack(CutRequest(str(store), tmp_path / "a.pack", CORNER, levels=(18,)))
    pack = MapPack.open(tmp_path / "a.pack")
    tiles = MBTiles(tmp_path / "a.pack" / IMAGERY_NAME)
    wanted = {(x, y) for x in range(X0 + 2, X0 + 5) for y in range(Y0 + 2, Y0 + 4)}
    assert set(tiles.positions(18)) == wanted and tiles.levels == (18,)
    table = pack.tiles(18)
    at = set(zip(table.cols.tolist(), table.rows.tolist(), strict=True))
    assert at == {
        (col, row) for col in range(2 * X0 + 4, 2 * X0 + 9) for row in range(2 * Y0 + 4, 2 * Y0 + 7)
    }


def test_its_descriptors_and_pictures_are_the_stores(store, tmp_path):
    cut_pack(CutRequest(str(store), tmp_path / "all.pack", EVERYTHING))
    cut_pack(CutRequest(str(store), tmp_path / "a.pack", CORNER))
    whole, part = MapPack.open(tmp_path / "all.pack"), MapPack.open(tmp_path / "a.pack")
    for level in (17, 18):
        table, among = part.tiles(level), whole.tiles(level)
        place = {(c, r): i for i, (c, r) in enumerate(zip(among.cols, among.rows, strict=True))}
        assert len(table) and len(table) < len(among)
        for i, (col, row) in enumerate(zip(table.cols, table.rows, strict=True)):
            held = among.descriptors[place[(col, row)]]
            np.testing.assert_array_equal(table.descriptors[i], held)
            tile = table.tile_id(i)
            np.testing.assert_array_equal(part.tile_picture(tile), whole.tile_picture(tile))


def test_the_same_cut_is_the_same_bytes_and_leaves_the_store_alone(store, tmp_path):
    before = files_of(store)
    for name in ("one", "two"):
        cut_pack(CutRequest(str(store), tmp_path / name, CORNER, name="same"))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert files_of(store) == before


def test_all_of_a_store_is_what_a_build_makes(store, tmp_path):
    request = BuildRequest((store.parent / "xyz",), tmp_path / "a.pack", levels=(17, 18))
    build_pack(request, load_bundle())
    far = box(*(v + d for v, d in zip(EVERYTHING.bounds, (-1, -1, 1, 1), strict=True)))
    cut_pack(CutRequest(str(store), tmp_path / "cut.pack", far, name="a"))
    assert files_of(tmp_path / "a.pack") == files_of(tmp_path / "cut.pack")


def test_a_distant_store_gives_the_same_bytes(store, tmp_path):
    """Over fsspec's memory file system, as an object store: nothing of it is a local file."""
    import fsspec

    files = fsspec.filesystem("memory")
    for name, data in files_of(store).items():
        files.pipe_file(f"/cut-test/{name}", data)
    cut_pack(CutRequest("memory://cut-test", tmp_path / "far.pack", CORNER, name="same"))
    cut_pack(CutRequest(str(store), tmp_path / "near.pack", CORNER, name="same"))
    assert files_of(tmp_path / "far.pack") == files_of(tmp_path / "near.pack")
    files.rm("/cut-test", recursive=True)


def test_only_cells_that_the_area_touches_are_read(store, tmp_path, monkeypatch):
    read = set()
    real = CellStore.local

    def local(self, cell, expected, scratch):
        read.add(cell)
        return real(self, cell, expected, scratch)

    monkeypatch.setattr(CellStore, "local", local)
    cut_pack(CutRequest(str(store), tmp_path / "a.pack", over(X0, Y0, X0 + 2, Y0 + 2)))
    assert read == {Cell(ROOT, 5999, 2999)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not as its mark says"),
        (lambda path: path.unlink(), "is missing"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-9] + b"x" + path.read_bytes()[-8:]),
            "is not as its mark says",
        ),
    ],
)
@pytest.mark.parametrize("name", [IMAGERY_NAME, TILES_NAME])
def test_a_damaged_cell_is_named(store, tmp_path, change, says, name):
    copied = tmp_path / "store"
    for path, data in files_of(store).items():
        (copied / path).parent.mkdir(parents=True, exist_ok=True)
        (copied / path).write_bytes(data)
    change(copied / "z13-5999-2999" / name)
    with pytest.raises(InputError, match=f"z13-5999-2999/{name}.*{says}"):
        cut_pack(CutRequest(str(copied), tmp_path / "a.pack", CORNER))
    assert not (tmp_path / "a.pack").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--area", "0,0,1,1"], "area"),
        (["--levels", "16-18"], "has no level 16; it has 17, 18"),
        (["--area", "x"], "W,S,E,N"),
        (["--corridor-m", "nan"], "a width of nan m"),
    ],
)
def test_wrong_words_are_one_sentence_and_leave_nothing(store, tmp_path, capsys, words, says):
    area = [] if "--area" in words else ["--area", ",".join(map(str, CORNER.bounds))]
    assert main(["map", "cut", str(store), "--out", str(tmp_path / "a.pack"), *area, *words]) == 2
    said = capsys.readouterr().err
    line = [text for text in said.splitlines() if text.startswith("pilotage map cut")]
    assert len(line) == 1 and says in line[0]
    assert list(tmp_path.iterdir()) == []


def test_what_the_store_does_not_reach_is_said(store, tmp_path, capsys):
    part = over(X0, Y0, X0 + 2 * SIDE, Y0 + SIDE)  # as much again to the east
    cut_pack(CutRequest(str(store), tmp_path / "a.pack", part))
    assert "the pack's imagery reaches 50% of the area" in capsys.readouterr().err
    cut_pack(CutRequest(str(store), tmp_path / "b.pack", CORNER))
    assert "note" not in capsys.readouterr().err


def test_a_store_that_a_build_changes_meanwhile_makes_no_pack(store, tmp_path, monkeypatch):
    changed = tmp_path / "store"
    shutil.copytree(store, changed)

    def change():
        cells = CellStore(str(changed))
        cell = min(cells.cells(), key=lambda c: c.name)
        mark = cells.mark(cell, Step.DESCRIBE)
        held = [cells.local(cell, file, tmp_path) for file in mark.files]
        cells.put(cell, Step.DESCRIBE, "of newer imagery", held, dict(mark.counts))

    write_imagery = assemble.write_imagery

    def slowly(*said):
        change()
        return write_imagery(*said)

    monkeypatch.setattr(assemble, "write_imagery", slowly)
    with pytest.raises(InputError, match="was changed by a build while the pack was cut"):
        cut_pack(CutRequest(str(changed), tmp_path / "a.pack", CORNER))
    assert not (tmp_path / "a.pack").exists()


def test_a_line_is_cut_with_its_corridor(store, tmp_path):
    ends = [list(over(X0 + i, Y0 + 2, X0 + i + 1, Y0 + 3).centroid.coords[0]) for i in (1, 4)]
    (tmp_path / "line.geojson").write_text(f'{{"type": "LineString", "coordinates": {ends}}}')
    words = ["map", "cut", str(store), "--area", str(tmp_path / "line.geojson")]
    assert main([*words, "--out", str(tmp_path / "a.pack")]) == 2
    assert main([*words, "--out", str(tmp_path / "a.pack"), "--corridor-m", "20"]) == 0
    tiles = MBTiles(tmp_path / "a.pack" / IMAGERY_NAME)
    assert set(tiles.positions(18)) == {(X0 + i, Y0 + 2) for i in (1, 2, 3, 4)}


def test_no_store_and_an_unfinished_one_are_said(store, tmp_path):
    with pytest.raises(InputError, match="is no cell store"):
        cut_pack(CutRequest(str(tmp_path / "nowhere"), tmp_path / "a.pack", CORNER))
    begun = tmp_path / "begun"
    begun.mkdir()
    text = (store / "store.json").read_text().replace('"finished": true', '"finished": false')
    (begun / "store.json").write_text(text)
    with pytest.raises(InputError, match="has not ended"):
        cut_pack(CutRequest(str(begun), tmp_path / "a.pack", CORNER))


def test_a_mission_is_cut_with_its_corridor(store, tmp_path, capsys):
    lat, lon = (float(v) for v in pixel_to_latlon((X0 + 3) * 256, (Y0 + 3) * 256, 18))
    lines = ["QGC WPL 110"]
    for i, (command, a, b, alt) in enumerate(
        [(16, lat, lon, 100.0), (22, lat, lon, 60.0), (16, lat + 0.0005, lon + 0.0005, 60.0)]
    ):
        frame = 0 if i == 0 else 3
        lines.append(f"{i}\t{int(i == 0)}\t{frame}\t{command}\t0\t0\t0\t0\t{a}\t{b}\t{alt}\t1")
    (tmp_path / "m.waypoints").write_text("\n".join(lines) + "\n")
    words = ["map", "cut", str(store), "--mission", str(tmp_path / "m.waypoints")]
    assert main([*words, "--corridor-m", "40", "--out", str(tmp_path / "m.pack")]) == 0
    assert "cut in" in capsys.readouterr().out
    tiles = MBTiles(tmp_path / "m.pack" / IMAGERY_NAME)
    assert 0 < len(tiles.positions(18)) < SIDE * SIDE
    assert MapPack.open(tmp_path / "m.pack").contains(lat, lon)
    assert read_manifest(tmp_path / "m.pack").name == "m"
