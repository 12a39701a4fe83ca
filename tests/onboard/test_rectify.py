"""Rectification against an independent intersection of camera rays with the ground plane."""

import math
import time

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onboard.camera import Camera, Mounting
from onboard.geodesy import pixel_size_m
from onboard.messages import Frame, Picture, Refusal, View
from onboard.reasons import Reason, Stage
from onboard.rectify import choose_level, project_ground, rectify
from onboard.telemetry_messages import Attitude, Height

LAT_DEG = 47.0
CAMERA = Camera(640, 480, fx=520.0, fy=515.0, cx=331.0, cy=236.0)
WIDE = Camera(640, 480, fx=380.0, distortion=(-0.12, 0.02, 0.001, -0.002, 0.0))
LEVEL_FLIGHT = Attitude(0, 0.0, 0.0, 0.0)


def axis_turn(axis: int, angle: float) -> np.ndarray:
    """Rodrigues' formula about one axis: no code in common with the camera's matrix."""
    vector = np.zeros(3)
    vector[axis] = angle
    return cv2.Rodrigues(vector)[0]


def ground_point(
    camera: Camera, attitude: Attitude, agl_m: float, x: float, y: float
) -> tuple[float, float, float]:
    """(east, north, tilt) where a picture point's ray meets the plane; nan above the horizon."""
    pixel = np.array([[[x, y]]])
    rays = cv2.undistortPointsIter(
        pixel, camera.matrix, np.array(camera.distortion), np.eye(3), np.eye(3), (3, 100, 1e-12)
    )
    right, down = rays[0, 0]
    # Straight-down camera: picture right is body right, picture up is the nose.
    body = np.array([-down, right, 1.0])
    ned = axis_turn(2, attitude.yaw) @ axis_turn(1, attitude.pitch)
    ned = ned @ axis_turn(0, attitude.roll) @ body
    tilt = math.atan2(math.hypot(ned[0], ned[1]), ned[2])
    if tilt >= math.pi / 2:
        return math.nan, math.nan, tilt
    return ned[1] / ned[2] * agl_m, ned[0] / ned[2] * agl_m, tilt


def picture_of_places(camera: Camera) -> Picture:
    """Blue grows to the right, green downwards, from 20 to 220."""
    image = np.zeros((camera.height_px, camera.width_px, 3), np.uint8)
    image[:, :, 0] = np.linspace(20, 220, camera.width_px)[None, :]
    image[:, :, 1] = np.linspace(20, 220, camera.height_px)[:, None]
    return image


attitudes = st.builds(
    lambda tilt, way, yaw: Attitude(
        0, math.asin(math.sin(tilt) * math.sin(way)), tilt * math.cos(way), yaw
    ),
    st.floats(0.0, math.radians(60.0)),
    st.floats(-math.pi, math.pi),
    st.floats(-math.pi, math.pi),
)


@given(attitudes, st.floats(30.0, 800.0), st.sampled_from([CAMERA, WIDE]), st.data())
@settings(max_examples=200, deadline=None)
def test_ground_points_project_to_the_pixel_they_came_from(
    attitude: Attitude, agl_m: float, camera: Camera, data: st.DataObject
) -> None:
    x = data.draw(st.floats(1.0, camera.width_px - 1.0))
    y = data.draw(st.floats(1.0, camera.height_px - 1.0))
    east, north, tilt = ground_point(camera, attitude, agl_m, x, y)
    assume(tilt < math.radians(74.5))
    found_x, found_y, seen = project_ground(
        camera,
        camera.ned_from_optical(attitude),
        agl_m,
        np.array([[east]]),
        np.array([[north]]),
    )
    assert seen[0, 0]
    assert found_x[0, 0] == pytest.approx(x, abs=0.02)
    assert found_y[0, 0] == pytest.approx(y, abs=0.02)


@given(attitudes, st.floats(50.0, 600.0), st.sampled_from([CAMERA, WIDE]))
@settings(max_examples=60, deadline=None)
def test_the_view_shows_what_the_rays_hit(attitude: Attitude, agl_m: float, camera: Camera) -> None:
    level = choose_level(range(14, 22), agl_m, camera, LAT_DEG)
    image = picture_of_places(camera)
    view = rectify(Frame(0, image), attitude, Height(0, agl_m), camera, level, LAT_DEG)
    assume(isinstance(view, View))
    assert isinstance(view, View)
    centre = ground_point(camera, attitude, agl_m, camera.width_px / 2, camera.height_px / 2)
    assert -view.nadir_east_m == pytest.approx(centre[0], abs=1e-3 * agl_m)
    assert -view.nadir_north_m == pytest.approx(centre[1], abs=1e-3 * agl_m)
    rng = np.random.default_rng(0)
    hits = 0
    for x, y in rng.uniform([20, 20], [camera.width_px - 20, camera.height_px - 20], (60, 2)):
        east, north, tilt = ground_point(camera, attitude, agl_m, x, y)
        if not tilt < math.radians(70.0):
            continue
        column = 128 + (east - centre[0]) / view.east_m_per_px
        row = 128 - (north - centre[1]) / view.north_m_per_px
        c, r = math.floor(column), math.floor(row)
        around = (slice(r - 1, r + 2), slice(c - 1, c + 2))
        if not (2 <= c < 254 and 2 <= r < 254 and view.mask[around].all()):
            continue
        hits += 1
        corners = view.picture[around].reshape(-1, 3).astype(float)
        low, high = corners.min(0) - 1.5, corners.max(0) + 1.5
        expected = 20 + 200 * np.array([x / camera.width_px, y / camera.height_px])
        assert (low[:2] <= expected).all() and (expected <= high[:2]).all()
    assert hits > 0


def test_a_view_keeps_its_promises() -> None:
    image = np.zeros((480, 640, 3), np.uint8)  # black ground is still ground
    view = rectify(Frame(7, image), LEVEL_FLIGHT, Height(0, 100.0, None, 3.0), CAMERA, 18, LAT_DEG)
    assert isinstance(view, View)
    assert (view.picture[view.mask] == 1).all()
    assert (view.picture[~view.mask] == 0).all() and (~view.mask).any()
    assert (view.time_ns, view.level, view.agl_m, view.height_sigma_m) == (7, 18, 100.0, 3.0)
    assert (view.east_m_per_px, view.north_m_per_px) == pixel_size_m(LAT_DEG, 18)


def test_north_is_up_and_east_is_right() -> None:
    image = np.full((480, 640, 3), 60, np.uint8)
    image[:60] = 250  # a bright strip ahead of the nose
    for heading_deg, side in ((0, "top"), (90, "right"), (180, "bottom"), (-90, "left")):
        attitude = Attitude(0, 0.0, 0.0, math.radians(heading_deg))
        view = rectify(Frame(0, image), attitude, Height(0, 100.0), CAMERA, 18, LAT_DEG)
        assert isinstance(view, View)
        rows, columns = np.nonzero(view.picture[:, :, 0] > 200)
        where = {
            "top": rows.max() < 128,
            "bottom": rows.min() >= 128,
            "left": columns.max() < 128,
            "right": columns.min() >= 128,
        }
        assert [name for name, here in where.items() if here] == [side]


def test_a_forward_camera_has_its_nadir_behind_the_centre() -> None:
    camera = Camera(640, 480, fx=520.0, mounting=Mounting(pitch_deg=-60.0))
    attitude = Attitude(0, 0.0, 0.0, math.radians(90.0))  # flying east
    view = rectify(
        Frame(0, picture_of_places(camera)), attitude, Height(0, 100.0), camera, 18, LAT_DEG
    )
    assert isinstance(view, View)
    assert view.nadir_east_m == pytest.approx(-100.0 * math.tan(math.radians(30.0)))
    assert view.nadir_north_m == pytest.approx(0.0, abs=1e-9)


def test_fine_detail_does_not_alias() -> None:
    camera = Camera(2000, 1500, fx=1500.0)
    checkers = (np.indices((1500, 2000)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(checkers[:, :, None], 3, axis=2)
    view = rectify(Frame(0, image), Attitude(0, 0, 0, 0.3), Height(0, 120.0), camera, 18, LAT_DEG)
    assert isinstance(view, View)
    inner = view.picture[view.mask].astype(float)
    assert inner.std() < 8.0
    assert inner.mean() == pytest.approx(127.5, abs=3.0)


def test_fifty_megapixels_are_quick() -> None:
    camera = Camera(8192, 6144, fx=6000.0)
    image = np.full((6144, 8192, 3), 90, np.uint8)
    start = time.perf_counter()
    view = rectify(Frame(0, image), LEVEL_FLIGHT, Height(0, 120.0), camera, 18, LAT_DEG)
    assert time.perf_counter() - start < 1.0
    assert isinstance(view, View) and (view.picture[view.mask] == 90).all()


@pytest.mark.parametrize(
    ("attitude", "agl_m", "size", "reason"),
    [
        (Attitude(0, 0.0, math.radians(75.0), 0.0), 100.0, (480, 640), Reason.TOO_OBLIQUE),
        (Attitude(0, math.radians(179.0), 0.0, 0.0), 100.0, (480, 640), Reason.TOO_OBLIQUE),
        (Attitude(0, math.nan, 0.0, 0.0), 100.0, (480, 640), Reason.TOO_OBLIQUE),
        (LEVEL_FLIGHT, 1.0, (480, 640), Reason.HEIGHT_OUT_OF_RANGE),
        (LEVEL_FLIGHT, -30.0, (480, 640), Reason.HEIGHT_OUT_OF_RANGE),
        (LEVEL_FLIGHT, math.nan, (480, 640), Reason.HEIGHT_OUT_OF_RANGE),
        (LEVEL_FLIGHT, 20.0, (480, 640), Reason.VIEW_TOO_SMALL),
        (LEVEL_FLIGHT, 100.0, (480, 480), Reason.BAD_PICTURE),
    ],
)
def test_refuses_with_a_reason(
    attitude: Attitude, agl_m: float, size: tuple[int, int], reason: Reason
) -> None:
    frame = Frame(5, np.full((*size, 3), 99, np.uint8))
    refusal = rectify(frame, attitude, Height(0, agl_m), CAMERA, 18, LAT_DEG)
    assert isinstance(refusal, Refusal)
    assert (refusal.time_ns, refusal.stage, refusal.reason) == (5, Stage.RECTIFY, reason)
    assert refusal.detail


def test_the_level_follows_the_height() -> None:
    chosen = [choose_level((16, 17, 18, 19), agl, CAMERA, LAT_DEG) for agl in (30, 110, 240, 2000)]
    assert chosen == [19, 18, 17, 16]
    assert choose_level((18,), 5.0, CAMERA, LAT_DEG) == 18


def test_the_level_does_not_flicker_at_its_border() -> None:
    levels = (16, 17, 18, 19)

    def border_m(before: int | None) -> int:
        chosen = (choose_level(levels, agl, CAMERA, LAT_DEG, before) for agl in range(60, 240))
        return 60 + next(i for i, level in enumerate(chosen) if level <= 17)

    up, down, plain = border_m(18), border_m(17), border_m(None)
    assert down < plain < up
    assert up - down < 0.25 * plain
    for agl in (30, 2000):  # far from the border the last level counts for nothing
        assert choose_level(levels, agl, CAMERA, LAT_DEG, 17) == choose_level(
            levels, agl, CAMERA, LAT_DEG
        )
