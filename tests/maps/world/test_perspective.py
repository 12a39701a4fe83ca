import math

import numpy as np
import pytest

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.materials import Material
from maps.world.orthophoto import render_ortho
from maps.world.perspective import render_perspective
from onboard.camera import Camera
from onboard.telemetry_messages import Attitude

CLEAR = Epoch(seed=1, noise=0.0, blur_px=0.0)
CAMERA = Camera(320, 240, fx=300.0)


@pytest.fixture(scope="module")
def flat_country() -> Landscape:
    """Fields without relief, so that a plane's geometry is the truth."""
    place = Landscape(seed=6, size_m=500.0, gsd_m=0.25, style=0)
    place.terrain_m[:] = 10.0
    place.canvas.tree_cm[:] = 0
    place.canvas.crown[:] = 0
    place.canvas.building_cm[:] = 0
    return place


@pytest.mark.parametrize("yaw_deg", [0.0, 90.0, 200.0])
def test_nadir_picture_is_the_orthophoto_turned(flat_country: Landscape, yaw_deg: float) -> None:
    agl_m = 150.0  # 0.5 m/px
    attitude = Attitude(0, 0.0, 0.0, math.radians(yaw_deg))
    picture = render_perspective(flat_country, CLEAR, CAMERA, attitude, 250, 250, agl_m)
    ortho, _ = render_ortho(flat_country, CLEAR, 250, 250, 401, 401, 0.5)
    yaw = math.radians(yaw_deg)
    for x, y in ((160, 120), (20, 20), (300, 30), (40, 220), (250, 200)):
        right, up = (x + 0.5 - 160) * 0.5, (120 - y - 0.5) * 0.5
        east = right * math.cos(yaw) + up * math.sin(yaw)
        north = up * math.cos(yaw) - right * math.sin(yaw)
        col, row = int(200.5 + east / 0.5), int(200.5 - north / 0.5)
        seen = picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)
        there = ortho[row - 2 : row + 3, col - 2 : col + 3].reshape(-1, 3).mean(axis=0)
        assert np.abs(seen - there).max() < 14


def test_pitched_picture_shows_what_lies_ahead(flat_country: Landscape) -> None:
    """The centre ray of a camera pitched 40 deg up from nadir, north, meets the ground
    agl * tan(40 deg) north: look straight down on that point and compare."""
    ahead_m = 120.0 * math.tan(math.radians(40.0))
    tilted = render_perspective(
        flat_country, CLEAR, CAMERA, Attitude(0, 0.0, math.radians(40.0), 0.0), 250, 200, 120.0
    )
    below = render_perspective(
        flat_country, CLEAR, CAMERA, Attitude(0, 0.0, 0.0, 0.0), 250, 200 + ahead_m, 120.0
    )
    middle = np.s_[112:128, 152:168]
    assert np.abs(tilted[middle].mean(axis=(0, 1)) - below[middle].mean(axis=(0, 1))).max() < 12


def test_tall_building_hides_what_is_behind() -> None:
    place = Landscape(seed=6, size_m=300.0, gsd_m=0.25, style=0)
    place.terrain_m[:] = 0.0
    for layer in (place.canvas.tree_cm, place.canvas.crown, place.canvas.building_cm):
        layer[:] = 0
    # A 30 m wall, 10 m deep, from 20 to 30 m north of the camera; red ground right behind it.
    red = place.canvas.new_parcel(Material.GRASS)
    rows = lambda near_m, far_m: slice(int((150 - far_m) / 0.25), int((150 - near_m) / 0.25))  # noqa: E731
    place.canvas.building_cm[rows(20, 30), 400:800] = 3000
    place.canvas.parcel[rows(30, 38), 400:800] = red
    camera = Camera(320, 240, fx=200.0)
    nadir = Attitude(0, 0.0, 0.0, 0.0)
    from maps.world.scene import scene_of

    scene = scene_of(place, CLEAR)
    scene.prepare(slice(0, place.side_px), slice(0, place.side_px))
    scene.colour[:] = 120
    scene.colour[rows(30, 38), 400:800] = (0, 0, 250)
    low = render_perspective(place, CLEAR, camera, nadir, 150, 150, 60.0)
    high = render_perspective(place, CLEAR, camera, nadir, 150, 150, 1000.0)
    is_red = lambda p: (p[..., 2] > 200) & (p[..., 0] < 60)  # noqa: E731
    assert not is_red(low).any()  # the ray over the wall's top edge lands 60 m away
    assert is_red(high).any()


def test_horizon_is_sky_and_outside_is_black(flat_country: Landscape) -> None:
    level = Attitude(0, 0.0, math.radians(88.0), 0.0)
    picture = render_perspective(flat_country, CLEAR, CAMERA, level, 250, 250, 60.0)
    assert (picture[:60].std(axis=(0, 1)) < 1).all()
    assert picture[:60].mean() > 150
    edge = render_perspective(
        flat_country, CLEAR, CAMERA, Attitude(0, 0.0, 0.0, 0.0), 5.0, 250.0, 120.0
    )
    assert (edge[:, :100] == 0).all()
    assert (edge[:, 200:].max(axis=2) > 0).all()


def test_camera_inside_a_building_is_refused(flat_country: Landscape) -> None:
    with pytest.raises(ValueError, match="below the highest"):
        render_perspective(flat_country, CLEAR, CAMERA, Attitude(0, 0.0, 0.0, 0.0), 250, 250, -5.0)
