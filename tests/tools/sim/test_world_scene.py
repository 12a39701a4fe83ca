"""The procedural world through the same camera, and real imagery where the shared data are."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import Frame, View
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from tools.sim.scenes import Appearance, Sky, WorldScene, imagery_scene

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
CAMERA = Camera(320, 240, horizontal_fov_deg=74.0)
BARE = Appearance(blur_px=0.0, noise=0.0, jpeg_quality=0)
DATUM_M, SIZE_M = 300.0, 500.0


@pytest.fixture(scope="module")
def world() -> tuple[Landscape, WorldScene]:
    landscape = Landscape(seed=2, size_m=SIZE_M, gsd_m=0.5, style=0)
    return landscape, WorldScene(landscape, Epoch(seed=3), DATUM_M, BARE)


def test_looking_down_it_shows_the_orthophoto(world: tuple[Landscape, WorldScene]) -> None:
    landscape, scene = world
    east, north, agl_m = 250.0, 250.0, 150.0
    lat, lon = landscape.latlon(east, north)
    amsl_m = scene.ground_amsl_m(lat, lon) + agl_m
    attitude = Attitude(9, 0.05, -0.1, 0.7)
    picture = scene.picture(lat, lon, amsl_m, attitude, CAMERA)
    view = rectify(Frame(9, picture), attitude, Height(9, agl_m), CAMERA, 18, lat)
    assert isinstance(view, View)
    gsd_m = view.east_m_per_px
    centre = (east - view.nadir_east_m, north - view.nadir_north_m)
    ortho, _ = render_ortho(landscape, Epoch(seed=3), *centre, 256, 256, gsd_m)
    core = cv2.erode(view.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    ours, theirs = (
        cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(np.float32) * core for p in (view.picture, ortho)
    )
    (dx, dy), _ = cv2.phaseCorrelate(ours, theirs)
    assert abs(dx) < 1.5 and abs(dy) < 1.5  # trees and houses lean
    assert np.corrcoef(ours[core], theirs[core])[0, 1] > 0.6


def test_near_the_ground_and_beyond_the_edge_nothing_can_be_recognised(
    world: tuple[Landscape, WorldScene],
) -> None:
    landscape, scene = world
    lat, lon = landscape.latlon(250.0, 250.0)
    low = scene.picture(lat, lon, scene.ground_amsl_m(lat, lon) + 2.0, Attitude(9, 0, 0, 0), CAMERA)
    away = landscape.latlon(2000.0, 2000.0)
    far = scene.picture(*away, DATUM_M + 200.0, Attitude(9, 0, 0, 0), CAMERA)
    for picture in (low, far):
        assert picture.std(axis=(0, 1)).max() < 1.0 and picture.min() > 0


def test_bounds_and_ground_are_the_landscapes(world: tuple[Landscape, WorldScene]) -> None:
    landscape, scene = world
    south, west, north, east = scene.bounds
    assert landscape.east_north(north, east) == pytest.approx((SIZE_M, SIZE_M), abs=0.01)
    assert landscape.east_north(south, west) == pytest.approx((0.0, 0.0), abs=0.01)
    at = landscape.latlon(100.0, 200.0)
    assert scene.ground_amsl_m(*at) == pytest.approx(DATUM_M + landscape.ground_m(100.0, 200.0))


def test_every_weather_over_real_imagery_and_its_centre_in_the_right_place() -> None:
    path = DATA / "naip_dakota" / "m_4709963_se_14_1_20200831.tif"
    if not path.is_file():
        pytest.skip("needs the shared data: set PILOTAGE_DATA to their folder")
    scene = imagery_scene([path], BARE, ground_amsl_m=500.0)
    south, west, north, east = scene.bounds
    lat, lon = (south + north) / 2, (west + east) / 2
    at = (lat, lon, 2000.0, Attitude(5, 0.0, 0.0, 0.0), CAMERA)
    plain = scene.picture(*at)
    from maps.sources.open_imagery import open_imagery

    ((source,),) = open_imagery([path])
    level = 15
    x, y = latlon_to_pixel(lat, lon, level)
    gsd_m = pixel_size_m(lat, level)[0]
    side = round(1500.0 * 320 / CAMERA.focal_px[0] / gsd_m)
    patch = source.read(level, round(x - side / 2), round(y - side * 3 / 8), side, side * 3 // 4)
    shown = cv2.resize(plain, (side, side * 3 // 4), interpolation=cv2.INTER_AREA)
    a, b = (cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(np.float32) for p in (shown, patch))
    (dx, dy), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F))
    assert abs(dx) < 1.0 and abs(dy) < 1.0
    for sky in Sky:
        dressed = imagery_scene([path], Appearance(weather=sky), 500.0).picture(*at)
        assert dressed.shape == plain.shape and dressed.min() > 0
