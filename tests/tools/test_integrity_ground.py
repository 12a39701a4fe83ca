"""A rendered frame, rectified at its true pose, must give the imagery back."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel, pixel_to_latlon
from onboard.messages import TILE_PX, Frame, View
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from tests.onboard.ground import LEVEL, texture
from tools.integrity_appearance import another_day
from tools.integrity_ground import FlatImagery

SIDE_PX = 3000
CORNER = (35_000_000, 25_000_000)
CAMERA = Camera(320, 240, fx=240.0)
PICTURE = cv2.GaussianBlur(texture(4, SIDE_PX), (0, 0), 3.0)


def read(level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
    assert level == LEVEL
    shift = np.array([[1, 0, CORNER[0] - x], [0, 1, CORNER[1] - y]], np.float64)
    return cv2.warpAffine(PICTURE, shift, (width, height))


GROUND = FlatImagery("texture", (), LEVEL, read)


@given(st.floats(60.0, 140.0), st.floats(-25.0, 25.0), st.floats(-25.0, 25.0), st.floats(-3.1, 3.1))
@settings(max_examples=15, deadline=None)
def test_rectifying_gives_the_imagery_back(agl_m, roll_deg, pitch_deg, yaw):
    middle = np.array(CORNER) + SIDE_PX / 2
    place = tuple(map(float, pixel_to_latlon(*middle, LEVEL)))
    attitude = Attitude(0, math.radians(roll_deg), math.radians(pitch_deg), yaw)
    frame = GROUND.seen_from(place, agl_m, attitude, CAMERA)
    assert frame is not None
    view = rectify(Frame(0, frame), attitude, Height(0, agl_m), CAMERA, LEVEL, place[0])
    assert isinstance(view, View)
    x = middle[0] - view.nadir_east_m / view.east_m_per_px - TILE_PX / 2
    y = middle[1] + view.nadir_north_m / view.north_m_per_px - TILE_PX / 2
    shift = np.array([[1, 0, CORNER[0] - x], [0, 1, CORNER[1] - y]], np.float64)
    expected = cv2.warpAffine(PICTURE, shift, (TILE_PX, TILE_PX))
    inner = cv2.erode(view.mask.astype(np.uint8), np.ones((9, 9))).astype(bool)
    apart = np.abs(view.picture.astype(float) - expected)[inner]
    moved = np.abs(np.roll(expected, 3, 1).astype(float) - expected)[inner]
    assert np.median(apart) < 2.0
    assert np.percentile(apart, 95) < 0.5 * np.percentile(moved, 95)


def test_what_shows_too_little_ground_is_not_drawn():
    x, y = CORNER
    at_the_corner = tuple(map(float, pixel_to_latlon(x, y, LEVEL)))
    assert GROUND.seen_from(at_the_corner, 100.0, Attitude(0, 0.0, 0.0, 0.0), CAMERA) is None
    x, y = np.array(CORNER) + SIDE_PX / 2
    inside = tuple(map(float, pixel_to_latlon(x, y, LEVEL)))
    assert GROUND.seen_from(inside, 100.0, Attitude(0, 1.2, 0.0, 0.0), CAMERA) is None
    assert latlon_to_pixel(*inside, LEVEL)[0] == pytest.approx(x)


def test_another_day_is_another_picture_of_the_same_shape():
    picture = PICTURE[:240, :320].copy()
    picture[:20] = 0
    days = [another_day(picture, np.random.default_rng(s))[0] for s in (1, 1, 2)]
    assert np.array_equal(days[0], days[1]) and not np.array_equal(days[0], days[2])
    for day in days:
        assert not day[:20].any() and day[20:].any(2).all()
