"""A match made from a known place must give that place back, with covariance in the right axes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.camera import Camera, Mounting
from onboard.geodesy import distance_m, latlon_to_pixel, offset_latlon, pixel_size_m
from onboard.messages import Frame, Match, TileId, View
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from onboard.vehicle_fix import nadir_covariance, vehicle_fix

LEVEL = 18
VEHICLE = (47.3, 8.6)


def NEAR(lat_deg: float, lon_deg: float) -> float:
    return 200.0


def seen(
    agl_m: float, tilt_deg: float, yaw: float, height_error: float = 1.0, yaw_error: float = 0.0
) -> View:
    camera = Camera(640, 480, fx=400.0, mounting=Mounting(pitch_deg=tilt_deg - 90.0))
    image = np.full((480, 640, 3), 80, np.uint8)
    attitude = Attitude(0, 0.0, 0.0, yaw + yaw_error)
    height = Height(0, agl_m * height_error, None, 4.0)
    view = rectify(Frame(0, image), attitude, height, camera, LEVEL, VEHICLE[0])
    assert isinstance(view, View)
    return view


def matched(
    view: View, centre: tuple[float, float], scale: float = 1.0, rotation: float = 0.0
) -> Match:
    """The similarity that lays the view's middle onto a centre; rotation is clockwise."""
    x, y = latlon_to_pixel(*centre, LEVEL)
    c, s = scale * math.cos(rotation), scale * math.sin(rotation)
    linear = np.array([[c, -s], [s, c]])
    shift = np.array([x, y]) - linear @ [128.0, 128.0]
    similarity = np.column_stack([linear, shift])
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    return Match(
        TileId(LEVEL, 0, 0), LEVEL, similarity, 1.0, 0.1, scale, rotation, 30, 40, 0.5, covariance
    )


@given(
    st.floats(80.0, 250.0),
    st.floats(0.0, 45.0),
    st.floats(-math.pi, math.pi),
    st.floats(0.93, 1.07),
    st.floats(-0.15, 0.15),
)
@settings(max_examples=30, deadline=None)
def test_gives_the_vehicle_back_despite_wrong_height_and_yaw(
    agl_m: float, tilt_deg: float, yaw: float, height_error: float, yaw_error: float
) -> None:
    true_view = seen(agl_m, tilt_deg, yaw)
    centre = offset_latlon(*VEHICLE, -true_view.nadir_east_m, -true_view.nadir_north_m)
    view = seen(agl_m, tilt_deg, yaw, height_error, yaw_error)
    match = matched(view, centre, 1.0 / height_error, -yaw_error)
    fix = vehicle_fix(match, view, 0.02, MAP_SIGMA_M, NEAR)
    assert (
        distance_m(fix.lat_deg, fix.lon_deg, *VEHICLE)
        < 0.01 * agl_m * math.tan(math.radians(tilt_deg)) + 0.05
    )
    assert distance_m(fix.centre_lat_deg, fix.centre_lon_deg, *centre) < 0.01
    assert (fix.time_ns, fix.inliers) == (view.time_ns, 30)


def test_the_matchs_covariance_turns_into_east_north_metres() -> None:
    view = seen(100.0, 0.0, 0.0)
    fix = vehicle_fix(matched(view, VEHICLE), view, 1e-9, 8.0, NEAR)
    east_m, north_m = pixel_size_m(VEHICLE[0], LEVEL)
    expected = [
        [4.0 * east_m**2, -1.0 * east_m * north_m],
        [-1.0 * east_m * north_m, 2.0 * north_m**2],
    ]
    of_the_match = fix.covariance - 8.0**2 * np.eye(2)
    np.testing.assert_allclose(of_the_match, expected, rtol=1e-6)
    assert fix.protection_m > 3 * math.sqrt(np.linalg.eigvalsh(fix.covariance)[-1])


def test_straight_down_the_direction_counts_evenly() -> None:
    covariance = nadir_covariance(seen(100.0, 0.0, 0.7), math.radians(1.0))
    np.testing.assert_allclose(covariance, np.eye(2) * math.radians(100.0) ** 2, atol=1e-9)


@pytest.mark.parametrize(("yaw_deg", "along"), [(0.0, 1), (90.0, 0)])
def test_an_oblique_view_is_worse_along_its_direction(yaw_deg: float, along: int) -> None:
    covariance = nadir_covariance(seen(100.0, 45.0, math.radians(yaw_deg)), math.radians(1.0))
    turn_m = 100.0 * math.radians(1.0)
    assert covariance[along, along] == pytest.approx((2 * turn_m) ** 2 + 4.0**2, rel=1e-3)
    assert covariance[1 - along, 1 - along] == pytest.approx(2 * turn_m**2, rel=1e-3)


@given(st.floats(0.0, 55.0), st.floats(-math.pi, math.pi))
@settings(max_examples=30, deadline=None)
def test_the_budget_bounds_what_a_tilted_camera_does(tilt_deg: float, yaw: float) -> None:
    """The nadir's true shift under a 1-sigma turn lies within the claimed sigma."""
    view, turned = seen(100.0, tilt_deg, yaw), seen(100.0, tilt_deg + 0.5, yaw)
    shift = np.array(
        [turned.nadir_east_m - view.nadir_east_m, turned.nadir_north_m - view.nadir_north_m]
    )
    covariance = nadir_covariance(view, math.radians(0.5))
    assert shift @ np.linalg.solve(covariance, shift) < 1.05
