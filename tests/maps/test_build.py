"""Whole builds with the network that ships, over a small picture."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio

from maps.build import BuildRequest, build_pack
from maps.provenance import Provenance
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from tests.maps.small_imagery import LEVEL, texture, write_tif

OVER_A_CELL_BORDER = (500_700.0, 3_100_000.0)  # of level 13, 450 m east of it


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bundle):
    """Holds a.tif, with a hole and a flat field, and a.pack made from it."""
    folder = tmp_path_factory.mktemp("build")
    picture = texture(440, 560)
    picture[:150, :200] = 0
    picture[230:, 340:] = 120
    write_tif(folder / "a.tif", picture, nodata=0)
    build_pack(request(folder), bundle)
    return folder


def request(folder, name="a.pack", **options):
    said = Provenance(dates=("2021-06",), licences=("CC0",), attributions=("a test",))
    options = {"levels": (LEVEL - 1, LEVEL), "provenance": said, "name": "a", **options}
    return BuildRequest((folder / "a.tif",), folder / name, **options)


def same_files(a, b):
    names = sorted(p.relative_to(a) for p in a.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(b) for p in b.rglob("*") if p.is_file())
    return all((a / n).read_bytes() == (b / n).read_bytes() for n in names)


def test_tiles_are_described_as_queries_are(folder, bundle):
    pack = MapPack.open(folder / "a.pack", bundle)
    table = pack.tiles(LEVEL)
    chosen = range(0, len(table), 9)
    pictures = np.stack([pack.tile_picture(table.tile_id(i)) for i in chosen])
    described = Describer(bundle).descriptors(pictures)
    assert np.einsum("nd,nd->n", described, table.descriptors[chosen]).min() > 0.9999


def test_tiles_overlap_by_half_and_blank_or_flat_ones_are_left_out(folder):
    pack = MapPack.open(folder / "a.pack")
    table = pack.tiles(LEVEL)
    indexed = set(zip(table.cols.tolist(), table.rows.tolist(), strict=True))
    assert {c % 2 for c, _ in indexed} == {r % 2 for _, r in indexed} == {0, 1}
    for col, row in itertools.product(
        range(table.cols.min() - 3, table.cols.max() + 4),
        range(table.rows.min() - 3, table.rows.max() + 4),
    ):
        picture = pack.picture(LEVEL, col * 128, row * 128)
        covered = picture.any(axis=2)
        worth = covered.mean() >= 0.5 and picture[covered].std() > 8
        if (col, row) in indexed:
            assert covered.mean() >= 0.5
        else:
            assert not worth


def test_the_manifest_says_what_the_pack_is(folder, bundle):
    manifest = json.loads((folder / "a.pack" / "manifest.json").read_text())
    assert manifest["model"]["sha256"] == bundle.sha256
    assert manifest["levels"] == [LEVEL - 1, LEVEL]
    assert manifest["imagery"] == [
        {"name": "a.tif", "date": "2021-06", "licence": "CC0", "attribution": "a test"}
    ]
    named = {f["path"] for f in manifest["files"]}
    there = {
        str(p.relative_to(folder / "a.pack")) for p in (folder / "a.pack").rglob("*") if p.is_file()
    }
    assert there == named | {"manifest.json"}


def test_gdal_opens_the_imagery_where_the_source_lies(folder):
    with (
        rasterio.open(folder / "a.pack" / "imagery.mbtiles") as tiles,
        rasterio.open(folder / "a.tif") as source,
    ):
        assert tiles.driver == "MBTiles" and tiles.crs.to_epsg() == 3857
        inner = rasterio.warp.transform_bounds(source.crs, tiles.crs, *source.bounds)
        assert tiles.bounds.left < inner[0] and tiles.bounds.right > inner[2]
        assert tiles.bounds.bottom < inner[1] and tiles.bounds.top > inner[3]
        assert tiles.read().std() > 20


def test_the_same_input_gives_the_same_bytes(folder, bundle):
    build_pack(request(folder, "again.pack"), bundle)
    assert same_files(folder / "a.pack", folder / "again.pack")


def command(folder, out):
    words = ["map", "build", str(folder / "a.tif"), "--out", str(out), "--name", "a"]
    words += ["--levels", f"{LEVEL - 1}-{LEVEL}", "--date", "2021-06", "--licence", "CC0"]
    return [sys.executable, "-m", "tools.cli", *words, "--attribution", "a test"]


@pytest.mark.parametrize(
    "reached", ["cells/*/laid.json", "cells/*/described.json", "imagery.mbtiles", "index/z*"]
)
def test_a_killed_build_goes_on_to_the_same_bytes(folder, tmp_path, reached):
    out = tmp_path / "k.pack"
    partial = tmp_path / "k.pack.partial"
    process = subprocess.Popen(command(folder, out), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(partial.glob(reached)) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists() and partial.exists()
    done = subprocess.run(command(folder, out), capture_output=True, text=True, check=True)
    assert "going on with" in done.stderr
    assert same_files(folder / "a.pack", out)
    assert not partial.exists()


def test_finished_cells_are_not_described_again(tmp_path, bundle, monkeypatch):
    write_tif(tmp_path / "a.tif", texture(300, 1600), origin=OVER_A_CELL_BORDER)
    build_pack(request(tmp_path), bundle)
    total = sum(s.count for s in MapPack.open(tmp_path / "a.pack").manifest.shards)
    described = 0
    limit = 0.8 * total

    class Counting(Describer):
        def descriptors(self, pictures):
            nonlocal described
            described += len(pictures)
            if described > limit:
                raise KeyboardInterrupt
            return super().descriptors(pictures)

    monkeypatch.setattr("maps.cells.recipe.Describer", Counting)
    with pytest.raises(KeyboardInterrupt):
        build_pack(request(tmp_path, "c.pack"), bundle)
    assert list((tmp_path / "c.pack.partial" / "cells").glob("*/described.json"))
    described, limit = 0, np.inf
    summary = build_pack(request(tmp_path, "c.pack"), bundle)
    assert summary.resumed and summary.tiles == total
    assert summary.described == described < 0.8 * total
    assert summary.cells_there > 0
    assert same_files(tmp_path / "a.pack", tmp_path / "c.pack")


def test_an_area_of_no_texture_is_refused_and_leaves_nothing(tmp_path, bundle):
    write_tif(tmp_path / "a.tif", np.full((600, 600, 3), 100, np.uint8))
    with pytest.raises(InputError, match="no tile with texture"):
        build_pack(request(tmp_path), bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_level_whose_tiles_are_mostly_blank_is_left_out_with_a_word(tmp_path, bundle, capsys):
    write_tif(tmp_path / "a.tif", texture(400, 400))
    summary = build_pack(request(tmp_path, levels=(LEVEL - 4, LEVEL)), bundle)
    assert summary.levels == (LEVEL,)
    assert f"level {LEVEL - 4} left out" in capsys.readouterr().err
    assert MapPack.open(tmp_path / "a.pack").levels == (LEVEL,)


def test_a_truncated_input_leaves_nothing(tmp_path, bundle):
    path = write_tif(tmp_path / "a.tif", texture(900, 900), tiled=True, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.tif"):
        build_pack(request(tmp_path), bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
