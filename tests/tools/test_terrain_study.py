"""The study of what terrain is worth: its grounds, and that it tells the methods apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, offset_latlon
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import IMAGERY_NAME
from tools.cli import main
from tools.sim.scenes.ground import height_at
from tools.terrain_ground import BASE_AMSL_M, ground_named, write_terrain

BOUNDS = (47.0, 8.5, 47.008, 8.512)
MIDDLE = 47.004, 8.506


def test_a_slope_rises_to_the_east_by_what_is_asked():
    ground = ground_named("slope 0.2", BOUNDS)
    assert height_at(ground, *MIDDLE) == pytest.approx(BASE_AMSL_M, abs=0.01)
    east = offset_latlon(*MIDDLE, 100.0, 40.0)
    assert height_at(ground, *east) == pytest.approx(BASE_AMSL_M + 20.0, abs=0.1)
    assert ground.lowest_m < BASE_AMSL_M - 50.0 < BASE_AMSL_M + 50.0 < ground.highest_m


def test_an_elevation_model_is_laid_metre_for_metre(tmp_path):
    """A slope of 0.5 to the north, in UTM far away."""
    path = tmp_path / "dem.tif"
    rows = np.arange(200, dtype=np.float32)[:, None]
    heights = np.broadcast_to(1000.0 - 5.0 * rows, (200, 200)).astype(np.float32)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=200,
        height=200,
        count=1,
        dtype="float32",
        crs="EPSG:32717",
        transform=from_origin(500_000.0, 9_000_000.0, 10.0, 10.0),
    ) as file:
        file.write(heights, 1)
    ground = ground_named(str(path), BOUNDS)
    middle_m = height_at(ground, *MIDDLE)
    assert middle_m == pytest.approx(500.0, abs=10.0)
    north = offset_latlon(*MIDDLE, 30.0, 200.0)
    assert height_at(ground, *north) - middle_m == pytest.approx(100.0, abs=3.0)
    terrain = write_terrain(tmp_path / "terrain.mbtiles", ground, BOUNDS, 15)
    assert terrain.height_m(*north) == pytest.approx(height_at(ground, *north), abs=0.5)
    assert latlon_to_pixel(*north, 15)[0] > 0


@pytest.mark.parametrize("name", ["slope", "slope steep", "mountains.tif", "hills 3"])
def test_a_ground_nobody_knows_is_one_sentence(name):
    with pytest.raises(InputError, match="give"):
        ground_named(name, BOUNDS)


def test_the_table_tells_the_three_heights_apart(small_area, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pack, imagery = str(small_area.pack), str(small_area.pack / IMAGERY_NAME)
    options = ["--ground", "slope 0.4", "--agl-m", "90", "--frames", "4", "--prior-sigma-m", "5"]
    assert main(["terrain-study", pack, imagery, *options]) == 0
    head, *rows = capsys.readouterr().out.strip().split("\n")
    assert "located" in head and len(rows) == 3
    located = {row[26:48].strip(): float(row[48:57].strip("% ")) for row in rows}
    assert located["terrain"] >= 75.0
    assert located["plane above home"] <= located["terrain"]


def test_what_can_not_be_is_refused(small_area, capsys):
    pack, imagery = str(small_area.pack), str(Path(small_area.pack) / IMAGERY_NAME)
    assert MapPack.open(small_area.pack).terrain is None
    assert main(["terrain-study", pack, imagery, "--onboard-level", "30"]) == 2
    assert main(["terrain-study", pack, imagery, "--frames", "0"]) == 2
    assert "above 0" in capsys.readouterr().err
