"""The three map commands as a person runs them."""

import json

import cv2
import pytest

from tests.maps.small_imagery import LEVEL, texture, write_tif
from tests.onboard.hand_made_pack import square_table, write_pack
from tools.cli import main


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    write_tif(folder / "a.tif", texture(700, 700))
    words = ["map", "build", str(folder / "a.tif"), "--out", str(folder / "a.pack")]
    assert main([*words, "--levels", str(LEVEL), "--licence", "CC0"]) == 0
    return folder / "a.pack"


def test_inspect_says_what_is_in_it_and_draws_it(pack, tmp_path, capsys):
    assert main(["map", "inspect", str(pack), "--overview", str(tmp_path / "o.png")]) == 0
    said = capsys.readouterr().out
    for word in ("bounds", "km2", "model", f"level {LEVEL}", "licence CC0", "date unknown"):
        assert word in said
    assert "map error   3 m (1 sigma per axis), assumed: the map does not say" in said
    drawn = cv2.imread(str(tmp_path / "o.png"))
    assert drawn is not None and drawn.std() > 20
    assert [p.name for p in tmp_path.iterdir()] == ["o.png"]


def test_the_maps_error_is_said_at_the_build_and_told_by_inspect(pack, tmp_path, capsys):
    words = ["map", "build", str(pack.parent / "a.tif"), "--levels", str(LEVEL), "--out"]
    said = ["--licence", "CC0", "--map-sigma-m"]
    assert main([*words, str(tmp_path / "b.pack"), *said, "1e9"]) == 2
    refused = capsys.readouterr().err
    assert refused.count("\n") == 1 and "--map-sigma-m is 1000000000.0: give" in refused
    assert main([*words, str(tmp_path / "b.pack"), *said, "8"]) == 0
    capsys.readouterr()
    assert main(["map", "inspect", str(tmp_path / "b.pack"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["map_sigma_m"] == 8.0 and told["imagery"][0]["sigma_m"] == 8.0
    assert main(["map", "inspect", str(tmp_path / "b.pack")]) == 0
    told = capsys.readouterr().out
    assert ", sigma 8 m" in told and "8 m (1 sigma per axis), as said when the map was" in told


def test_verify_passes_a_good_pack(pack, capsys):
    assert main(["map", "verify", str(pack)]) == 0
    assert "recall@10 1.0000" in capsys.readouterr().out


def test_verify_exits_1_on_an_index_that_misses(tmp_path, capsys, monkeypatch):
    folder = write_pack(tmp_path / "a.pack", [square_table(40)])
    monkeypatch.setattr("maps.verify.RECALL_GOAL", 1.1)
    monkeypatch.setattr("tools.map.verify.RECALL_GOAL", 1.1)
    assert main(["map", "verify", str(folder)]) == 1
    assert "build the pack again" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_damaged_pack_is_one_sentence_and_exit_2(tmp_path, capsys, command):
    folder = write_pack(tmp_path / "a.pack", [square_table(5)])
    with (folder / "imagery.mbtiles").open("r+b") as file:
        file.truncate(100)
    assert main(["map", command, str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "imagery.mbtiles: is 100 bytes long" in said


def test_build_refuses_to_overwrite(pack, capsys):
    source = pack.parent / "a.tif"
    assert main(["map", "build", str(source), "--out", str(pack)]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["{a}", "--area", "1,1,2,2"],
        ["{a}", "--levels", "23"],
        ["{a}", "--levels", "x"],
        ["{a}", "--crs", "EPSG:99999999"],
        ["{a}", "--model", "nowhere"],
        ["nowhere.tif"],
    ],
)
def test_wrong_words_are_one_sentence_and_leave_nothing(pack, tmp_path, capfd, words):
    """Not even GDAL says more, past Python."""
    words = [w.format(a=pack.parent / "a.tif") for w in words]
    assert main(["map", "build", *words, "--out", str(tmp_path / "x.pack")]) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_build_says_what_a_store_was_spared(pack, capsys):
    source, store = pack.parent / "a.tif", pack.parent / "store"
    words = ["map", "build", str(source), "--store", str(store), "--levels", str(LEVEL)]
    words += ["--licence", "CC0"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"{store}: cells: 1 made, 0 were there\n" in said and "the bare network does" in said
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"{store}: cells: 0 made, 1 were there\n" in said and "network" not in said
    other = write_tif(pack.parent / "b.tif", texture(300, 300))
    words[2] = str(other)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "holds imagery of a.tif" in said and "--drop" in said
    assert main([*words, "--drop"]) == 0


def test_build_needs_somewhere_to_put_it(pack, capsys):
    assert main(["map", "build", str(pack.parent / "a.tif")]) == 2
    assert "--out: give the pack's folder, or --store" in capsys.readouterr().err
