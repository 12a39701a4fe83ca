"""What a country takes, on paper."""

import dataclasses
import re

import pytest

from maps.build import BuildRequest, build_pack
from maps.estimate import (
    Figure,
    Rates,
    estimate,
    measure_described_per_s,
    weights_of_pack,
)
from onboard.model_bundle import load_bundle
from onboard.pack.pack_manifest import IMAGERY_NAME, read_manifest
from tests.maps.small_imagery import LEVEL, texture, write_tif
from tests.onboard.hand_made_pack import square_table, write_pack
from tools.cli import main

RATES = Rates(*(Figure(v, "by hand") for v in (100.0, 50.0, 200.0, 10.0, 5.0, 3.0)))
WORDS = ["map", "estimate", "--area-km2", "1000", "--levels", "17-18", "--lat-deg", "51"]


def test_the_earths_girdle_at_level_zero_is_one_tile():
    """The tile of level 10 at the equator measures 40,075 km / 1024 to the side."""
    side_km = 40_075.017 / 1024
    found = estimate(side_km**2, 0.0, (10,), RATES)
    assert found.imagery_tiles == pytest.approx(1.0, rel=0.01)
    assert found.described_tiles == pytest.approx(4 * found.imagery_tiles)


def test_each_level_has_four_times_the_tiles_and_latitude_shrinks_them():
    """By the cosine squared, and 1 % for the Earth's flattening."""
    found = estimate(1000.0, 60.0, (16, 17, 18), RATES)
    counts = [level.imagery for level in found.levels]
    assert counts[1] == pytest.approx(4 * counts[0]) and counts[2] == pytest.approx(16 * counts[0])
    at_equator = estimate(1000.0, 0.0, (16, 17, 18), RATES)
    assert found.imagery_tiles == pytest.approx(4 * at_equator.imagery_tiles, rel=0.015)


def test_the_sums_are_the_rates_times_the_tiles():
    found = estimate(500.0, 10.0, (17, 18), RATES)
    assert found.lay_core_hours == pytest.approx(found.imagery_tiles / 100 / 3600)
    assert found.describe_core_hours == pytest.approx(found.described_tiles / 50 / 3600)
    assert found.index_core_hours == pytest.approx(found.described_tiles / 200 / 3600)
    assert found.store_bytes == pytest.approx(found.imagery_tiles * 10 + found.described_tiles * 3)
    assert found.index_bytes == pytest.approx(found.described_tiles * 5)
    assert found.gpu_hours is None
    with_gpu = dataclasses.replace(RATES, gpu_described_per_s=Figure(1000.0, "by hand"))
    gpu_hours = estimate(500.0, 10.0, (17, 18), with_gpu).gpu_hours
    assert gpu_hours == pytest.approx(found.described_tiles / 1000 / 3600)


def test_it_foretells_a_build_within_its_border(tmp_path):
    """A square of 1.7 km, 12 tiles to the side: its border is not counted."""
    write_tif(tmp_path / "a.tif", texture(2800, 2800), gsd_m=0.6)
    build_pack(
        BuildRequest((tmp_path / "a.tif",), tmp_path / "a.pack", levels=(LEVEL,)), load_bundle()
    )
    held = read_manifest(tmp_path / "a.pack").tile_count(LEVEL)
    found = estimate((2800 * 0.6 / 1000) ** 2, 28.0, (LEVEL,), RATES)
    assert 0.75 < found.described_tiles / held < 1.0


def test_a_packs_weights_are_its_files(tmp_path):
    pack = write_pack(tmp_path / "a.pack", [square_table(12)])
    imagery, index = weights_of_pack(pack)
    assert imagery.value == (pack / IMAGERY_NAME).stat().st_size
    sizes = sum(p.stat().st_size for p in (pack / "index").iterdir())
    assert index.value == pytest.approx(sizes / 144) and "a.pack: 144" in index.source


def test_the_network_is_measured_in_processor_time():
    figure = measure_described_per_s(load_bundle())
    assert 5 < figure.value < 5000 and "measured now" in figure.source


def test_every_figure_names_its_source_and_no_gpu_is_invented(capsys):
    assert main([*WORDS, "--tiles-per-s", "100"]) == 0
    said = capsys.readouterr().out
    assert "not measured on any" in said
    below = said.partition("resting on")[2].strip().splitlines()
    assert len(below) == 6
    assert all(re.search(r"\((measured|format|given)[^()]*", line) for line in below)
    assert main([*WORDS, "--tiles-per-s", "100", "--gpu-tiles-per-s", "2000"]) == 0
    assert "tiles/s on a GPU (given)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--area-km2", "0"], "--area-km2 0"),
        (["--area-km2", "nan"], "--area-km2 nan"),
        (["--area-km2", "1e12"], "Earth's land"),
        (["--lat-deg", "90"], "--lat-deg 90"),
        (["--lat-deg", "nan"], "--lat-deg nan"),
        (["--levels", "x"], "--levels x"),
        (["--tiles-per-s", "0"], "--tiles-per-s 0"),
        (["--gpu-tiles-per-s", "inf"], "--gpu-tiles-per-s inf"),
        (["--cores", "-1"], "--cores -1"),
        (["--like", "nowhere.pack"], "nowhere.pack"),
    ],
)
def test_wrong_words_are_one_sentence(capsys, words, says):
    assert main([*WORDS, "--tiles-per-s", "100", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and says in said
