"""Views over slopes against rays that are followed to the ground independently."""

from __future__ import annotations

import math
import time
from functools import cache

import numpy as np
import pytest

from onboard.camera import Camera, Mounting
from onboard.geodesy import latlon_to_pixel, offset_latlon
from onboard.ground.ground_below import GroundBelow
from onboard.ground.relief import Relief
from onboard.messages import Floats, Frame, Picture, Prior, Refusal, View
from onboard.reasons import Reason
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from tests.onboard.terrain_file import Shape, terrain_of

LAT_DEG, LON_DEG = 47.0, 8.5
PLACE = LAT_DEG, LON_DEG
CAMERA = Camera(160, 120, fx=130.0)
OBLIQUE = Camera(160, 120, fx=130.0, mounting=Mounting(pitch_deg=-55.0))
AGL_M = 120.0
LEVEL = 18
NORTHWARD = Attitude(0, 0.0, 0.0, 0.0)
TURNED = Attitude(0, 0.1, -0.15, 2.0)


def ridge(east: Floats, north: Floats) -> Floats:
    return 500.0 + 0.25 * east + 12.0 * np.sin(north / 40.0)


def level_ground(east: Floats, north: Floats) -> Floats:
    return 500.0 + 0.0 * east


@cache
def painted(camera: Camera, attitude: Attitude, shape: Shape, agl_m: float = AGL_M) -> Picture:
    """What the camera sees of ground whose blue tells the east and whose green the north, by
    marching each pixel's ray down in steps."""
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(rows)], -1)
    rays = pixels @ np.linalg.inv(camera.matrix).T @ camera.ned_from_optical(attitude).T
    north, east = rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]
    eye_m = float(shape(np.zeros(()), np.zeros(()))) + agl_m
    depth = np.full(rows.shape, 0.25 * agl_m)
    above = np.ones(rows.shape, bool)
    for _ in range(600):
        above &= eye_m - depth > shape(east * depth, north * depth)
        depth = np.where(above, depth + 0.005 * agl_m, depth)
    image = np.zeros((camera.height_px, camera.width_px, 3), np.uint8)
    image[..., 0] = np.clip(128 + east * depth / 2.0, 1, 255)
    image[..., 1] = np.clip(128 + north * depth / 2.0, 1, 255)
    return image


def errors_m(view: View) -> Floats:
    """How far each ground pixel of the view lies from where its colour says."""
    steps = np.arange(256) + 0.5 - 128
    east = (-view.nadir_east_m + steps * view.east_m_per_px)[None, :]
    north = (-view.nadir_north_m - steps * view.north_m_per_px)[:, None]
    told = (view.picture[..., :2].astype(float) + 0.5 - 128) * 2.0
    apart: Floats = np.hypot(told[..., 0] - east, told[..., 1] - north)[view.mask]
    return apart


def relief_at(tmp_path, shape: Shape, sigma_m: float = 0.5, reach_m: float = 600.0) -> Relief:
    terrain = terrain_of(tmp_path, PLACE, shape, reach_m)
    south_west, north_east = offset_latlon(*PLACE, -300, -300), offset_latlon(*PLACE, 300, 300)
    return Relief(GroundBelow(terrain, (*south_west, *north_east)), Prior(*PLACE, sigma_m))


def seen(
    camera: Camera,
    attitude: Attitude,
    shape: Shape,
    relief: Relief | None,
    agl_m: float = AGL_M,
) -> View:
    """As rectified with that height; the picture is taken at AGL_M."""
    image = painted(camera, attitude, shape)
    height = Height(0, agl_m, None, 2.0)
    view = rectify(Frame(0, image), attitude, height, camera, LEVEL, LAT_DEG, relief)
    assert isinstance(view, View)
    return view


@pytest.mark.parametrize("camera", [CAMERA, OBLIQUE], ids=["down", "oblique"])
@pytest.mark.parametrize("attitude", [NORTHWARD, TURNED], ids=["level", "turned"])
def test_ground_lies_where_it_is_over_a_ridge(tmp_path, camera, attitude):
    view = seen(camera, attitude, ridge, relief_at(tmp_path, ridge))
    flat = seen(camera, attitude, ridge, None)
    assert np.percentile(errors_m(view), 95) < 2.6  # colours tell 2 m
    assert np.percentile(errors_m(flat), 95) > 8.0
    assert view.mask.mean() > 0.3


def test_the_centre_is_where_the_middle_ray_meets_the_slope(tmp_path):
    def slope(east: Floats, north: Floats) -> Floats:
        return 500.0 + 0.3 * north

    view = seen(OBLIQUE, NORTHWARD, slope, relief_at(tmp_path, slope))
    run = 1 / math.tan(math.radians(55.0))  # metres forward per metre down
    depth_m = AGL_M / (1 + 0.3 * run)
    assert view.agl_m == pytest.approx(depth_m, abs=0.6)
    assert -view.nadir_north_m == pytest.approx(run * depth_m, abs=0.5)
    assert view.height_sigma_m >= math.hypot(2.0, 2.0)  # told, and the terrain's


def test_level_ground_gives_the_very_view_of_a_plane(tmp_path):
    view = seen(CAMERA, NORTHWARD, level_ground, relief_at(tmp_path, level_ground))
    flat = seen(CAMERA, NORTHWARD, level_ground, None, view.agl_m)
    assert np.array_equal(view.picture, flat.picture)
    assert view.agl_m == pytest.approx(AGL_M, abs=0.6)


def test_an_uncertain_place_fades_the_slopes_out(tmp_path):
    def waves(east: Floats, north: Floats) -> Floats:
        return 500.0 + 10.0 * np.sin(east / 15.0) * np.sin(north / 15.0)

    known = relief_at(tmp_path, waves, 1.0)
    ground = known._ground
    east, north = np.meshgrid(np.linspace(-100, 100, 31), np.linspace(-100, 100, 31))
    sharp = known.rise(east, north)
    blurred = Relief(ground, Prior(*PLACE, 20.0)).rise(east, north)
    assert sharp.mean_m.std() > 4.0 and sharp.sigma_m.mean() < 1.5
    assert blurred.mean_m.std() < 0.6 * sharp.mean_m.std()
    assert blurred.sigma_m.mean() > 3.0


def test_a_place_known_too_badly_is_seen_as_a_plane(tmp_path):
    def waves(east: Floats, north: Floats) -> Floats:
        return 500.0 + 10.0 * np.sin(east / 15.0) * np.sin(north / 15.0)

    view = seen(CAMERA, NORTHWARD, waves, relief_at(tmp_path, waves, 40.0))
    flat = seen(CAMERA, NORTHWARD, waves, None, view.agl_m)
    assert np.array_equal(view.picture, flat.picture)
    (tmp_path / "known").mkdir()
    sharp = seen(CAMERA, NORTHWARD, waves, relief_at(tmp_path / "known", waves, 1.0))
    assert not np.array_equal(sharp.picture, flat.picture)


def test_ground_that_is_not_known_is_left_out_over_slopes(tmp_path):
    def half(east: Floats, north: Floats) -> Floats:
        return np.where(east < 30.0, ridge(east, north), np.nan)

    relief = relief_at(tmp_path, half)
    image = painted(CAMERA, NORTHWARD, ridge)
    height = Height(0, AGL_M, None, 2.0)
    view = rectify(Frame(0, image), NORTHWARD, height, CAMERA, LEVEL, LAT_DEG, relief)
    assert isinstance(view, View)
    assert not view.mask[:, 210:].any()  # 41 m east and more
    assert view.mask[128, 40:150].all()
    assert np.percentile(errors_m(view), 95) < 2.6


def test_without_any_known_ground_the_plane_stands(tmp_path):
    def none_near(east: Floats, north: Floats) -> Floats:
        return np.where(np.hypot(east, north) > 400.0, 500.0, np.nan)

    view = seen(CAMERA, TURNED, ridge, relief_at(tmp_path, none_near))
    flat = seen(CAMERA, TURNED, ridge, None)
    assert np.array_equal(view.picture, flat.picture) and view.agl_m == flat.agl_m


def test_a_hill_up_to_the_camera_is_refused(tmp_path):
    def wall(east: Floats, north: Floats) -> Floats:
        return 500.0 + np.clip((north - 2.0) * 8.0, 0.0, 200.0)

    relief = relief_at(tmp_path, wall)
    image = np.full((120, 160, 3), 99, np.uint8)
    height = Height(0, 15.0, None, 2.0)
    refused = rectify(Frame(0, image), NORTHWARD, height, OBLIQUE, 20, LAT_DEG, relief)
    assert isinstance(refused, Refusal)
    assert refused.reason in (Reason.HEIGHT_OUT_OF_RANGE, Reason.VIEW_TOO_SMALL)


def test_slopes_cost_little(tmp_path):
    relief = relief_at(tmp_path, ridge)
    camera = Camera(640, 480, fx=520.0)
    image, height = np.full((480, 640, 3), 99, np.uint8), Height(0, AGL_M, None, 2.0)

    def best_ms(used: Relief | None) -> float:
        spent = []
        for _ in range(15):
            begin = time.perf_counter()
            rectify(Frame(0, image), TURNED, height, camera, LEVEL, LAT_DEG, used)
            spent.append((time.perf_counter() - begin) * 1e3)
        return min(spent)

    assert best_ms(relief) < 2.0 * best_ms(None) + 2.0


def test_the_terrain_file_is_where_it_should_be(tmp_path):
    terrain = terrain_of(tmp_path, PLACE, ridge)
    lat, lon = offset_latlon(*PLACE, 37.0, -55.0)
    wanted = float(ridge(np.array(37.0), np.array(-55.0)))
    assert terrain.height_m(lat, lon) == pytest.approx(wanted, abs=0.2)
    assert latlon_to_pixel(lat, lon, 17)[0] > 0
