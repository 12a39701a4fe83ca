"""One command from a mission file to a pack."""

import json
import math

import numpy as np
import pytest
from pyproj import Transformer

from maps.mission import mission_needs, read_mission
from maps.terrain import open_dems
from onboard.camera import Camera
from onboard.geodesy import enu_offset_m
from onboard.pack.pack_manifest import TERRAIN_NAME, read_manifest
from onboard.pack.terrain import Terrain
from onboard.rectify import choose_level
from onboard.settings import load_settings
from tests.maps.mission.small_missions import AMSL, MISSION, RETURN, TAKEOFF, item, plan, survey
from tests.maps.small_imagery import ORIGIN, UTM, texture, write_tif
from tests.maps.terrain.small_dem import write_hgt
from tools.cli import main

TO_LONLAT = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)


def hill(lat_deg, lon_deg):
    """1000 to 1150 m, smooth: a post every 90 m tells it to half a metre."""
    return 1075 + 75 * np.sin(np.radians(np.asarray(lat_deg) * 9000)) + 0 * np.asarray(lon_deg)


def at(east_m, south_m):
    """From the imagery's upper left corner."""
    lon, lat = TO_LONLAT.transform(ORIGIN[0] + east_m, ORIGIN[1] - south_m)
    return lat, lon


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mission")
    write_tif(folder / "a.tif", texture(1500, 1500))  # 900 m
    (folder / "srtm").mkdir()
    for west in (86, 87):
        write_hgt(folder / "srtm" / f"N28E{west:03}.hgt", 28, west, 1201, hill)
    (folder / "camera.toml").write_text("width_px=1920\nheight_px=1080\nhorizontal_fov_deg=80.0\n")
    scan = survey([item(2, position=(*at(300, 300), 90)), item(3, position=(*at(600, 300), 90))])
    scan["polygon"] = [list(at(*p)) for p in ((300, 300), (600, 300), (600, 500), (300, 500))]
    items = [
        item(1, TAKEOFF, position=(None, None, 60)),
        scan,
        item(4, frame=AMSL, position=(*at(600, 600), 1290)),
        item(5, RETURN, MISSION),
    ]
    document = plan(items)
    document["mission"]["plannedHomePosition"] = [*at(300, 600), 1000]
    (folder / "survey.plan").write_text(json.dumps(document))
    return folder


def build(folder, out, *words):
    return main(
        [
            "map", "build", "--mission", str(folder / "survey.plan"),
            "--camera", str(folder / "camera.toml"), *words,
            str(folder / "a.tif"), "--out", str(out),
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def pack(folder):
    words = ["--dem", str(folder / "srtm"), "--corridor-m", "150"]
    assert build(folder, folder / "survey.pack", *words) == 0
    return folder / "survey.pack"


def needs_of(folder):
    camera = load_settings(folder / "camera.toml", Camera)
    dem = open_dems([folder / "srtm"])
    return camera, mission_needs(read_mission(folder / "survey.plan"), dem, camera, 150.0)


def test_the_pack_has_every_level_that_the_flight_chooses(folder, pack):
    camera, needs = needs_of(folder)
    levels = read_manifest(pack).levels
    assert needs.agl_m[0] == 30.0 and 200 < needs.agl_m[1] < 300
    for agl_m in np.geomspace(*needs.agl_m, 50):
        wanted = choose_level(range(8, 19), agl_m, camera, 28.02)  # 18 is the imagery's own
        assert wanted in levels


def test_the_pack_covers_the_corridor_and_not_all_the_imagery(folder, pack):
    _, needs = needs_of(folder)
    bounds = read_manifest(pack).bounds
    west, south, east, north = needs.area.bounds
    assert bounds.west <= west and bounds.east >= east
    assert bounds.south <= south and bounds.north >= north
    margin_m = enu_offset_m(bounds.south, bounds.west, south, west)
    assert max(margin_m) < 300  # the tiles that the area touches


def test_the_packs_terrain_is_the_models(folder, pack):
    terrain_said = read_manifest(pack).terrain
    assert terrain_said is not None
    assert terrain_said.name == "SRTM (surface model), N28E086.hgt, 2 files"
    assert (terrain_said.datum, terrain_said.licence) == ("EGM96 height", "public domain")
    terrain = Terrain(pack / TERRAIN_NAME, terrain_said.level, terrain_said.sigma_m)
    east, south = np.meshgrid(np.arange(100, 800, 35.0), np.arange(100, 800, 35.0))
    lon, lat = TO_LONLAT.transform(ORIGIN[0] + east, ORIGIN[1] - south)
    assert np.abs(terrain.heights_m(lat, lon) - hill(lat, lon)).max() < 1.5


def test_what_was_assumed_is_said(folder, tmp_path, capsys):
    assert build(folder, tmp_path / "flat.pack", "--levels", "17") == 0
    said = capsys.readouterr().err
    assert "assumed: flat ground, no --dem" in said
    assert "the imagery reaches" in said  # the default corridor is wider than the picture
    needs = mission_needs(read_mission(folder / "survey.plan"), None, needs_of(folder)[0])
    assert needs.agl_m[1] == pytest.approx(290)
    assert f"map from 30 to 290 m above ground, {needs.corridor_m:.0f} m to each side" in said
    assert math.isclose(needs.corridor_m, 260 + 290 * math.hypot(1920, 1080) / 2288.2, abs_tol=2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mission", "none.plan"], "none.plan: cannot be read"),
        (["--mission", "{folder}/a.tif"], "is no mission"),
        (["--agl-m", "100", "--camera", "none.toml"], "none.toml: cannot be read"),
        (["--corridor-m", "0"], "goes with a --mission or an --area"),
        (["--whole-fence"], "goes with a --mission"),
        (["--camera", "{folder}/cam.toml"], "goes with a --mission or --agl-m"),
        (["--drop"], "out of a --store; name one"),
        (["--dem-datum", "egm96"], "--dem-datum: says something of a --dem"),
        (
            ["--mission", "{folder}/survey.plan", "--area", "1,2,3,4", "--corridor-m", "9"],
            "leave one of them out",
        ),
        (["--mission", "{folder}/survey.plan", "--corridor-m", "-5"], "width of -5"),
        (["--dem", "{folder}/none.tif"], "no such file"),
        (["--dem", "{folder}/a.tif"], "has 3 bands"),
        (["--dem", "{folder}/srtm/N28E087.hgt", "--dem-sigma-m", "0"], "--dem-sigma-m 0"),
        (["--dem", "{folder}/srtm/N28E087.hgt", "--dem-datum", "egm69"], "did you mean 'egm96'"),
        (["--dem", "{folder}/srtm/N28E087.hgt", "--dem-datum", "ellipsoid"], "--dem-offset-m"),
        (
            ["--mission", "{folder}/survey.plan", "--dem", "{folder}/srtm/N28E086.hgt"],
            "does not know the ground under",
        ),
    ],
)
def test_wrong_words_are_one_sentence_and_leave_nothing(folder, tmp_path, capsys, words, sentence):
    words = [w.format(folder=folder) for w in words]
    picture = str(folder / "a.tif")
    assert main(["map", "build", *words, picture, "--out", str(tmp_path / "x.pack")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and sentence in said
    assert list(tmp_path.iterdir()) == []
