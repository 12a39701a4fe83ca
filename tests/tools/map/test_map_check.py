"""`pilotage map check` as a person runs it, over ground of four kinds."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from maps.localizability.in_pack import own_files
from onboard.errors import InputError
from onboard.pack.map_pack import MapPack
from tests.maps.localizability.patchwork import quarter_of, way_through, write_patchwork
from tools.cli import main
from tools.map.check_route import _refuse_elsewhere

INSIDE_M = 80.0  # of a quarter's 384 m: a view is 104 m
FAST = ["--places", "60", "--views", "1"]


def write_way(path, names):
    line = [[lon, lat] for lat, lon in way_through(names)]
    path.write_text(json.dumps({"type": "LineString", "coordinates": line}))
    return path


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """(the pack, the output folder), checked over a way through the town."""
    folder = tmp_path_factory.mktemp("check")
    tif = write_patchwork(folder / "patchwork.tif")
    pack = folder / "patchwork.pack"
    build = ["map", "build", str(tif), "--out", str(pack), "--levels", "18"]
    assert main([*build, "--date", "2019"]) == 0
    assert main(["map", "check", str(pack), *FAST, "--out", str(folder / "out")]) == 0
    return pack, folder / "out"


def by_quarter(out):
    found = defaultdict(list)
    for feature in json.loads((out / "localizability.geojson").read_text())["features"]:
        ring = np.array(feature["geometry"]["coordinates"][0][:4])
        lon, lat = ring.mean(0)
        name = quarter_of(lat, lon, INSIDE_M)
        if name:
            found[name].append(feature["properties"])
    return found


def test_the_town_is_told_from_lake_fields_and_the_repeated_block(checked):
    found = by_quarter(checked[1])
    chance = {n: float(np.median([p["probability"] for p in ps])) for n, ps in found.items()}
    assert chance["town"] > 0.4
    assert max(chance["lake"], chance["fields"]) < 0.05
    assert chance["repeated"] < chance["town"] - 0.2


def test_each_gets_its_reason_in_words(checked):
    found = by_quarter(checked[1])
    for name, word in (("lake", "water"), ("fields", "no texture")):
        assert all(word in p["reasons"] for p in found[name]), name
    alike = [p for p in found["repeated"] if "looks alike elsewhere" in p["reasons"]]
    assert len(alike) > len(found["repeated"]) / 2


def test_the_map_lies_in_the_pack_and_the_pack_stays_whole(checked):
    pack, out = checked
    names = own_files(MapPack.open(pack).manifest)
    assert sorted(n.rpartition(".")[2] for n in names) == ["geojson", "png"]
    for name in names:
        suffix = name.rpartition(".")[2]
        assert (pack / name).read_bytes() == (out / f"localizability.{suffix}").read_bytes()
    drawn = cv2.imread(str(out / "localizability.png"))
    assert drawn is not None and drawn.std() > 20


def test_the_page_needs_no_network_and_says_what_was_done(checked):
    page = (checked[1] / "check.html").read_text()
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page
    for words in ("of the map can be localized", "1 views each", "water", "7"):
        assert words in page


def test_a_way_through_the_town_can_be_flown_and_one_over_the_lake_not(checked, tmp_path, capsys):
    pack, out = checked
    run = ["map", "check", str(pack), *FAST, "--keep-pack"]
    shutil.copy(out / "examined.jsonl", tmp_path)
    lat, lon = way_through(["town"])[0]
    line = [[lon - 0.001, lat], [lon + 0.001, lat]]
    town = tmp_path / "town.geojson"
    town.write_text(json.dumps({"type": "LineString", "coordinates": line}))
    assert main([*run, "--mission", str(town), "--out", str(tmp_path)]) == 0
    assert "\nflyable: " in capsys.readouterr().out
    lake = write_way(tmp_path / "lake.geojson", ["town", "lake", "repeated"])
    assert main([*run, "--mission", str(lake), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "NOT flyable without GNSS" in said and "water" in said
    page = (tmp_path / "check.html").read_text()
    assert "Blind stretches" in page and "NOT flyable" in page


def test_a_mission_elsewhere_is_refused_before_anything_is_looked_at(checked, tmp_path, capsys):
    pack, _ = checked
    before = (pack / "manifest.json").read_bytes()
    _, west, north, east = MapPack.open(pack).bounds
    off = tmp_path / "off.geojson"
    line = [[west, north + 0.01], [east, north + 0.02]]
    off.write_text(json.dumps({"type": "LineString", "coordinates": line}))
    out = tmp_path / "out"
    assert main(["map", "check", str(pack), "--mission", str(off), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "off the map, its nearest waypoint by 1.1 km; nothing was checked" in said
    assert not out.exists() and (pack / "manifest.json").read_bytes() == before


def test_a_way_across_the_map_needs_no_waypoint_on_it(checked):
    pack = MapPack.open(checked[0])
    south, west, north, east = pack.bounds
    middle = (south + north) / 2
    _refuse_elsewhere(Path("way"), [(middle, west - 0.1), (middle, east + 0.1)], pack)
    with pytest.raises(InputError, match="off the map"):
        _refuse_elsewhere(Path("way"), [(north + 0.1, west), (south, west - 0.1)], pack)


def test_a_plan_tells_way_and_height(checked, tmp_path, capsys):
    (lat, lon), (lat2, lon2) = way_through(["town", "repeated"])
    lines = [
        f"0\t1\t0\t16\t0\t0\t0\t0\t{lat}\t{lon}\t400\t1",
        f"1\t0\t3\t22\t0\t0\t0\t0\t{lat}\t{lon}\t140\t1",
        f"2\t0\t3\t16\t0\t0\t0\t0\t{lat + 1e-4}\t{lon}\t150\t1",
        f"3\t0\t3\t16\t0\t0\t0\t0\t{lat2}\t{lon2}\t170\t1",
        f"4\t0\t3\t21\t0\t0\t0\t0\t{lat2}\t{lon2}\t0\t1",
    ]
    plan = tmp_path / "town.waypoints"
    plan.write_text("\n".join(["QGC WPL 110", *lines]) + "\n")
    few = ["--places", "12", "--views", "1", "--keep-pack", "--out", str(tmp_path)]
    assert main(["map", "check", str(checked[0]), "--mission", str(plan), *few]) in (0, 1)
    said = capsys.readouterr().out
    assert "town.waypoints: 150 m above flat ground is the lowest" in said
    assert "of the way can be localized" in said


def test_it_goes_on_where_it_was_stopped_and_ends_alike(checked, tmp_path, monkeypatch):
    pack, out = checked
    lines = (out / "examined.jsonl").read_text().splitlines()
    half = "\n".join(lines[: len(lines) // 2]) + "\n" + lines[len(lines) // 2][:40]
    (tmp_path / "examined.jsonl").write_text(half)
    tried = []
    from maps.localizability.self_localization import SelfLocalization

    whole = SelfLocalization.tries
    monkeypatch.setattr(
        SelfLocalization, "tries", lambda s, p, n, seed: tried.append(p) or whole(s, p, n, seed)
    )
    assert main(["map", "check", str(pack), *FAST, "--keep-pack", "--out", str(tmp_path)]) == 0
    assert len(tried) == len(lines) - len(lines) // 2
    for name in ("localizability.geojson", "localizability.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_a_signed_pack_is_left_alone(checked, tmp_path, capsys):
    pack, out = checked
    signed = tmp_path / "signed.pack"
    shutil.copytree(pack, signed)
    assert main(["map", "key", "new", str(tmp_path / "keys")]) == 0
    private = next(p for p in (tmp_path / "keys").rglob("*") if "private" in p.name)
    assert main(["map", "sign", str(signed), "--key", str(private)]) == 0
    before = (signed / "manifest.json").read_bytes()
    shutil.copy(out / "examined.jsonl", tmp_path)
    assert main(["map", "check", str(signed), *FAST, "--out", str(tmp_path)]) == 0
    assert (signed / "manifest.json").read_bytes() == before
    assert "is signed and was left alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--views", "0"], "--views 1 to"),
        (["--places", "0"], "--places 1 to"),
        (["--date", "yesterday"], "--date yesterday: write it as"),
        (["--agl-m", "high"], "--agl-m high"),
        (["--agl-m", "5000"], "a pixel of the camera covers 10 m, of the map's level 18 0.4"),
        (["--camera", "none.toml"], "none.toml"),
        (["--mission", "none.plan"], "none.plan: cannot be read"),
    ],
)
def test_wrong_words_are_one_sentence(checked, tmp_path, capsys, words, said):
    assert main(["map", "check", str(checked[0]), "--out", str(tmp_path), *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": "Point", "coordinates": [1, 2]}',
        '{"type": "LineString", "coordinates": [[8.0, 47.0]]}',
        '{"type": "LineString", "coordinates": [[8.0, 47.0], [8.0, 47.0]]}',
        '{"type": "LineString", "coordinates": [[800.0, 47.0], [8.0, 47.0]]}',
        '{"type": "LineString", "coordinates": [["a", 47.0], [8.0, NaN]]}',
        '{"type": "LineString", "coordinates": [[8.0, NaN], [8.0, 47.0]]}',
        '{"type": "FeatureCollection", "features": [null]}',
    ],
)
def test_a_wrong_way_is_one_sentence(checked, tmp_path, capsys, text):
    way = tmp_path / "way.geojson"
    way.write_text(text)
    assert main(["map", "check", str(checked[0]), "--mission", str(way)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "way.geojson" in err


def test_no_pack_is_one_sentence(tmp_path, capsys):
    assert main(["map", "check", str(tmp_path / "none.pack")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
