"""Rendered pictures against the geometry that flies: rectified again they are the map."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.sources.source import WORLD_M, Source
from onboard.camera import Camera, Mounting
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_to_latlon
from onboard.messages import TILE_PX, Frame, Picture, View
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from tools.sim.scenes import Appearance, FlatGround, ImageryScene, Season, Sky, imagery_scene
from tools.sim.scenes.ground import Terrain, read_terrain

LEVEL, SIDE_PX = 18, 2048
LAT_DEG, LON_DEG = 47.2, 8.5
CORNER = tuple(int(v) - SIDE_PX // 2 for v in latlon_to_pixel(LAT_DEG, LON_DEG, LEVEL))
CAMERA = Camera(640, 480, horizontal_fov_deg=74.0)
BARE = Appearance(blur_px=0.0, noise=0.0, jpeg_quality=0)
AMSL_M = 500.0


class Pattern(Source):
    """Smooth random ground, finest at LEVEL."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        noise = rng.integers(0, 255, (SIDE_PX // 8, SIDE_PX // 8, 3), np.uint8)
        size = (SIDE_PX, SIDE_PX)
        self.image = np.maximum(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), 1)
        self.name, self.files, self.date = "pattern", (), None
        self.native_level = float(LEVEL)
        scale = WORLD_M / (TILE_PX * 2**LEVEL)
        x, y = CORNER
        west, north = x * scale - WORLD_M / 2, WORLD_M / 2 - y * scale
        self.bounds_m = (west, north - SIDE_PX * scale, west + SIDE_PX * scale, north)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        out = np.zeros((height, width, 3), np.uint8)
        shrink = 2 ** (LEVEL - level)
        image = self.image
        if shrink > 1:
            side = SIDE_PX // shrink
            image = cv2.resize(self.image, (side, side), interpolation=cv2.INTER_AREA)
        left, top = CORNER[0] // shrink - x, CORNER[1] // shrink - y
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + image.shape[1], width), min(top + image.shape[0], height)
        if x0 < x1 and y0 < y1:
            out[y0:y1, x0:x1] = image[y0 - top : y1 - top, x0 - left : x1 - left]
        return out


PATTERN = Pattern()


def flat_scene(appearance: Appearance = BARE) -> ImageryScene:
    return ImageryScene([PATTERN], FlatGround(AMSL_M), appearance)


def seen_again(scene: ImageryScene, attitude: Attitude, agl_m: float, camera: Camera) -> float:
    """Pixels between where the rectified picture shows things and where the map has them."""
    picture = scene.picture(LAT_DEG, LON_DEG, AMSL_M + agl_m, attitude, camera)
    frame = Frame(attitude.time_ns, picture)
    view = rectify(frame, attitude, Height(attitude.time_ns, agl_m), camera, LEVEL, LAT_DEG)
    assert isinstance(view, View), view
    x, y = latlon_to_pixel(LAT_DEG, LON_DEG, LEVEL)
    x -= view.nadir_east_m / view.east_m_per_px + CORNER[0]
    y += view.nadir_north_m / view.north_m_per_px - CORNER[1]
    there = cv2.getRectSubPix(PATTERN.image, (TILE_PX, TILE_PX), (x - 0.5, y - 0.5))
    core = cv2.erode(view.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    ours, theirs = (
        cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(np.float32) for p in (view.picture, there)
    )
    for p in (ours, theirs):
        p -= p[core].mean()
        p[~core] = 0.0
    (dx, dy), _ = cv2.phaseCorrelate(ours, theirs)
    ours, theirs = ours[core], theirs[core]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.8
    return math.hypot(dx, dy)


@settings(max_examples=25, deadline=None)
@given(
    roll=st.floats(-0.5, 0.5),
    pitch=st.floats(-0.5, 0.5),
    yaw=st.floats(-math.pi, math.pi),
    agl_m=st.floats(60.0, 160.0),
    mount_deg=st.sampled_from([-90.0, -70.0, -50.0]),
)
def test_rectifying_a_rendered_frame_gives_back_the_map(
    roll: float, pitch: float, yaw: float, agl_m: float, mount_deg: float
) -> None:
    camera = replace(CAMERA, mounting=Mounting(pitch_deg=mount_deg))
    cos_tilt = camera.ned_from_optical(Attitude(0, roll, pitch, yaw))[2, 2]
    if cos_tilt < math.cos(math.radians(60)):
        return  # too few pixels a metre to compare
    limit_px = 0.4 if cos_tilt > math.cos(math.radians(40)) else 1.0
    assert seen_again(flat_scene(), Attitude(7, roll, pitch, yaw), agl_m, camera) < limit_px


def test_a_lens_with_distortion_is_followed_too() -> None:
    camera = replace(CAMERA, distortion=(-0.25, 0.08, 0.001, -0.002, 0.0))
    assert seen_again(flat_scene(), Attitude(7, 0.1, -0.2, 1.0), 100.0, camera) < 0.5


@lru_cache(maxsize=1)
def hill() -> Terrain:
    """A cone of 60 m on the plane, 150 m wide, its top 40 m east and 20 m north of the middle."""
    scale = WORLD_M / (TILE_PX * 2**LEVEL)
    metres = scale * math.cos(math.radians(LAT_DEG))
    x, y = latlon_to_pixel(LAT_DEG, LON_DEG, LEVEL)
    rows, cols = np.mgrid[0:SIDE_PX, 0:SIDE_PX] + 0.5
    east, north = (cols + CORNER[0] - x) * metres, (y - rows - CORNER[1]) * metres
    away = np.hypot(east - 40.0, north - 20.0)
    heights = AMSL_M + np.clip(60.0 * (1.0 - away / 150.0), 0.0, None)
    west_m, north_m = PATTERN.bounds_m[0], PATTERN.bounds_m[3]
    return Terrain(heights.astype(np.float32), west_m, north_m, scale)


@settings(max_examples=25, deadline=None)
@given(
    roll=st.floats(-0.3, 0.3),
    pitch=st.floats(-0.3, 0.3),
    yaw=st.floats(-math.pi, math.pi),
    col=st.floats(40, 600),
    row=st.floats(40, 440),
)
def test_every_ray_over_terrain_ends_on_the_terrain(
    roll: float, pitch: float, yaw: float, col: float, row: float
) -> None:
    """Followed independently, metre by metre, each pixel's ray hits what the picture shows."""
    terrain = hill()
    scene = ImageryScene([PATTERN], terrain, BARE)
    attitude, amsl_m = Attitude(7, roll, pitch, yaw), AMSL_M + 160.0
    picture = scene.picture(LAT_DEG, LON_DEG, amsl_m, attitude, CAMERA)
    (fx, fy), (cx, cy) = CAMERA.focal_px, CAMERA.principal_px
    col, row = math.floor(col) + 0.5, math.floor(row) + 0.5
    ray = CAMERA.ned_from_optical(attitude) @ [(col - cx) / fx, (row - cy) / fy, 1.0]
    x0, y0 = latlon_to_pixel(LAT_DEG, LON_DEG, LEVEL)
    metres = WORLD_M / (TILE_PX * 2**LEVEL) * math.cos(math.radians(LAT_DEG))
    depth = np.arange(90.0, 165.0, 0.05)
    x = x0 + ray[1] / ray[2] * depth / metres
    y = y0 - ray[0] / ray[2] * depth / metres
    under = amsl_m - depth <= terrain.heights(LEVEL, x[None], y[None])[0]
    x, y = x[under.argmax()], y[under.argmax()]
    at = (x - CORNER[0] - 0.5, y - CORNER[1] - 0.5)
    patch = cv2.getRectSubPix(PATTERN.image, (9, 9), at).astype(int)
    # Right within a pixel of the map: the colour shown is among those around the hit.
    shown = picture[int(row), int(col)].astype(int)
    near = np.abs(patch - shown).sum(axis=2).min()
    assert near <= 30


def test_ground_height_is_the_terrains() -> None:
    scene = ImageryScene([PATTERN], hill(), BARE)
    assert scene.ground_amsl_m(LAT_DEG, LON_DEG) == pytest.approx(542.1, abs=1.0)
    south, west, north, east = scene.bounds
    assert scene.ground_amsl_m(south + 1e-4, west + 1e-4) == pytest.approx(AMSL_M, abs=0.1)
    assert south < LAT_DEG < north and west < LON_DEG < east


def test_beyond_the_imagery_there_is_nothing_to_recognise() -> None:
    scene = flat_scene(Appearance())
    _, _, north, _ = scene.bounds
    picture = scene.picture(north + 0.01, LON_DEG, AMSL_M + 100, Attitude(1, 0, 0, 0), CAMERA)
    assert 0 < cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.CV_64F).std() < 8
    assert picture.min() > 0


@pytest.mark.parametrize("agl_m", [0.0, -5.0, 0.3])
def test_a_camera_on_the_ground_gives_a_picture(agl_m: float) -> None:
    at = Attitude(1, 0, 0, 0)
    assert flat_scene().picture(LAT_DEG, LON_DEG, AMSL_M + agl_m, at, CAMERA).shape == (480, 640, 3)


def test_above_the_horizon_is_sky() -> None:
    level_camera = replace(CAMERA, mounting=Mounting(pitch_deg=0.0))
    picture = flat_scene().picture(
        LAT_DEG, LON_DEG, AMSL_M + 100, Attitude(1, 0, 0, 0), level_camera
    )
    assert (picture[:200] == (222, 205, 190)).all()
    assert not (picture[400:] == (222, 205, 190)).all(axis=2).any()


@pytest.mark.parametrize("sky", list(Sky))
@pytest.mark.parametrize("season", [Season.SUMMER, Season.WINTER])
def test_same_seed_and_moment_same_picture_and_another_moment_another(
    sky: Sky, season: Season
) -> None:
    scene = flat_scene(Appearance(season=season, weather=sky))
    first, again, later = (
        scene.picture(LAT_DEG, LON_DEG, AMSL_M + 100, Attitude(ns, 0, 0, 0), CAMERA)
        for ns in (5, 5, 10**10)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != later).mean() > 0.2
    assert first.min() > 0


def test_weather_season_and_light_change_what_is_seen() -> None:
    at = (LAT_DEG, LON_DEG, AMSL_M + 100, Attitude(5, 0, 0, 0), CAMERA)
    plain = flat_scene().picture(*at).astype(float)
    for sky in set(Sky) - {Sky.CLEAR, Sky.CLOUDS}:
        other = flat_scene(replace(BARE, weather=sky)).picture(*at)
        assert np.abs(other - plain).mean() > 3.0, sky
    for season in list(Season):
        other = flat_scene(replace(BARE, season=season)).picture(*at)
        assert (np.abs(other - plain).mean() > 3.0) == (season is not Season.SUMMER), season
    dark = flat_scene().picture(*at, light=0.03)
    assert dark.mean() < 0.05 * plain.mean() + 1.0


def test_motion_smears_along_the_way() -> None:
    scene = flat_scene(replace(BARE, exposure_s=0.3))
    at = (LAT_DEG, LON_DEG, AMSL_M + 100, Attitude(5, 0, 0, 0), CAMERA)
    still, moving = scene.picture(*at), scene.picture(*at, (20.0, 0.0))

    def roughness(p: Picture, axis: int) -> float:
        return float(np.abs(np.diff(p.astype(float), axis=axis)).mean())

    # Nose and motion to the north: up and down in the picture.
    assert roughness(moving, 0) < 0.6 * roughness(still, 0)
    assert roughness(moving, 1) > 0.6 * roughness(still, 1)


def test_clouds_drift_over_the_ground() -> None:
    scene = flat_scene(replace(BARE, weather=Sky.CLOUDS, wind_m_s=(0.0, 10.0)))

    def shade(east_deg: float, s: int) -> np.ndarray:
        at = (LAT_DEG, LON_DEG + east_deg, AMSL_M + 100, Attitude(s * 10**9, 0, 0, 0), CAMERA)
        plain, shaded = flat_scene().picture(*at), scene.picture(*at)
        lit, dim = (
            cv2.resize(p.astype(float), (20, 15), interpolation=cv2.INTER_AREA)
            for p in (plain, shaded)
        )
        return dim.sum(axis=2) / lit.sum(axis=2)

    moved_deg = math.degrees(100.0 / (6.378e6 * math.cos(math.radians(LAT_DEG))))
    first = shade(0.0, 0)
    assert np.abs(shade(moved_deg, 10) - first).mean() < 0.5 * np.abs(shade(0.0, 10) - first).mean()


def test_elevation_model_is_read_and_its_absence_told(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    path = tmp_path / "dem.tif"
    rows = np.linspace(700, 500, 60, dtype=np.float32)[:, None] + np.zeros((1, 60), np.float32)
    west, north = LON_DEG - 0.02, LAT_DEG + 0.02
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=60, count=1, dtype="float32",
        crs="EPSG:4326", transform=from_origin(west, north, 0.04 / 60, 0.04 / 60),
    ) as out:  # fmt: skip
        out.write(rows, 1)
    terrain = read_terrain(path, PATTERN.bounds_m)
    lat, lon = pixel_to_latlon(CORNER[0] + 1024, CORNER[1] + 200, LEVEL)
    x, y = latlon_to_pixel(lat, lon, LEVEL)
    expected = float(np.interp((north - lat) / (0.04 / 60) - 0.5, np.arange(60), rows[:, 0]))
    got = terrain.heights(LEVEL, np.array([[x]]), np.array([[y]]))[0, 0]
    assert got == pytest.approx(expected, abs=0.5)
    far = tuple(v + 1e6 for v in PATTERN.bounds_m)
    with pytest.raises(InputError, match="no heights"):
        read_terrain(path, far)
    with pytest.raises(InputError, match="no such file"):
        imagery_scene([path], dem=tmp_path / "none.tif")
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        read_terrain(broken, PATTERN.bounds_m)
