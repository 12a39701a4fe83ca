"""Camera files: what is read, what is refused, and where the axes point."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.camera import GIMBAL_REPORTS_ATTITUDE, Camera, Mounting, rotation_matrix
from onboard.errors import InputError
from onboard.settings import load_settings
from onboard.telemetry_messages import Attitude

GOOD = """
width_px = 2000
height_px = 1125
fx = 1475.0
distortion = [0.01, -0.02, 0, 0, 0]
[mounting]
stabilised = true
pitch_deg = -81
"""
angles = st.floats(-math.pi, math.pi)


def load(tmp_path: Path, text: str) -> Camera:
    path = tmp_path / "cam.toml"
    path.write_text(text)
    return load_settings(path, Camera)


def test_reads_a_file(tmp_path: Path) -> None:
    camera = load(tmp_path, GOOD)
    assert camera.focal_px == (1475.0, 1475.0)
    assert camera.principal_px == (1000.0, 562.5)
    assert camera.mounting == Mounting(stabilised=True, pitch_deg=-81.0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fx = 1475.0", "fxx = 1475.0", "unknown key 'fxx'; did you mean 'fx'"),
        ("fx = 1475.0", "", "either fx (pixels) or horizontal_fov_deg"),
        ("fx = 1475.0", "fx = -3.0", "fx is -3.0"),
        ("fx = 1475.0", "fx = 'long'", "expected"),
        ("fx = 1475.0", "horizontal_fov_deg = 180.0", "horizontal_fov_deg is 180.0"),
        ("fx = 1475.0", "fx = 1475.0\ncx = 4000.0", "cx is 4000.0"),
        ("height_px = 1125", "height_px = 0", "height_px is 0"),
        ("height_px = 1125", "", "'height_px' is missing"),
        ("pitch_deg = -81", "pitch_deg = nan", "mounting.pitch_deg is nan"),
        ("pitch_deg = -81", "picth_deg = -81", "did you mean 'pitch_deg'"),
        ("[0.01, -0.02, 0, 0, 0]", "[0.01]", "expected 5 values"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InputError) as e:
        load(tmp_path, GOOD.replace(old, new))
    assert said in str(e.value)
    assert "cam.toml" in str(e.value)
    assert "\n" not in str(e.value)


def test_scales_with_the_picture_and_refuses_another_shape(tmp_path: Path) -> None:
    camera = load(tmp_path, GOOD)
    double = camera.for_size(4000, 2250)
    np.testing.assert_allclose(double.matrix[:2], 2 * camera.matrix[:2])
    assert double.for_size(2000, 1125).focal_px == camera.focal_px
    with pytest.raises(ValueError, match="4000x3000"):
        camera.for_size(4000, 3000)


def test_field_of_view_gives_the_focal_length() -> None:
    camera = Camera(640, 480, horizontal_fov_deg=90.0)
    assert camera.focal_px == pytest.approx((320.0, 320.0))
    assert camera.for_size(1280, 960).focal_px == pytest.approx((640.0, 640.0))


def test_straight_down_shows_the_nose_at_the_top() -> None:
    camera = Camera(640, 480, fx=500.0)
    east = camera.ned_from_optical(Attitude(0, 0.0, 0.0, math.radians(90.0)))
    np.testing.assert_allclose(east @ [0, 0, 1], [0, 0, 1], atol=1e-12)  # looks down
    np.testing.assert_allclose(east @ [0, -1, 0], [0, 1, 0], atol=1e-12)  # up is east, the nose
    np.testing.assert_allclose(east @ [1, 0, 0], [-1, 0, 0], atol=1e-12)  # right is south


def test_pitching_the_nose_up_looks_forward() -> None:
    camera = Camera(640, 480, fx=500.0)
    north, _, _ = camera.ned_from_optical(Attitude(0, 0.0, 0.1, 0.0)) @ [0, 0, 1]
    assert north == pytest.approx(math.sin(0.1))
    _, east, _ = camera.ned_from_optical(Attitude(0, 0.1, 0.0, 0.0)) @ [0, 0, 1]
    assert east == pytest.approx(-math.sin(0.1))  # right wing down looks to the left


@given(angles, angles, angles)
def test_rotations_are_rotations(roll: float, pitch: float, yaw: float) -> None:
    m = rotation_matrix(roll, pitch, yaw)
    np.testing.assert_allclose(m @ m.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(m) == pytest.approx(1.0)


@given(angles, angles, angles)
def test_a_stabilised_mount_keeps_the_horizon(roll: float, pitch: float, yaw: float) -> None:
    camera = Camera(640, 480, fx=500.0, mounting=Mounting(stabilised=True, pitch_deg=-81.0))
    moved = camera.ned_from_optical(Attitude(0, roll, pitch, yaw))
    level = camera.ned_from_optical(Attitude(0, 0.0, 0.0, yaw))
    np.testing.assert_array_equal(moved, level)
    north, east, _ = level @ [0, 0, 1]
    ahead = north * math.cos(yaw) + east * math.sin(yaw)
    assert ahead == pytest.approx(math.sin(math.radians(9.0)))


def test_a_gimbal_that_reports_itself_needs_no_angles() -> None:
    camera = Camera(640, 480, fx=500.0, mounting=GIMBAL_REPORTS_ATTITUDE)
    down = camera.ned_from_optical(Attitude(0, 0.0, math.radians(-90.0), 0.3))
    np.testing.assert_allclose(down @ [0, 0, 1], [0, 0, 1], atol=1e-12)
