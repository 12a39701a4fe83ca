"""Attitude and height at the exposure: between samples, beyond them, and without them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.camera import rotation_matrix
from onboard.telemetry import Telemetry
from onboard.telemetry_messages import Attitude, Height

SECOND = 1_000_000_000

MS = 1_000_000
angles = st.floats(-math.pi, math.pi)
tilts = st.floats(-1.5, 1.5)


def matrix(a: Attitude) -> np.ndarray:
    return rotation_matrix(a.roll, a.pitch, a.yaw)


def test_yaw_goes_the_short_way_round() -> None:
    telemetry = Telemetry()
    telemetry.add_attitude(Attitude(0, 0.0, 0.0, math.radians(170.0)))
    telemetry.add_attitude(Attitude(100 * MS, 0.0, 0.0, math.radians(-170.0)))
    found = telemetry.attitude_at(25 * MS)
    assert found is not None
    assert math.degrees(found.yaw) == pytest.approx(175.0)
    assert found.time_ns == 25 * MS


@given(angles, tilts, angles, angles, tilts, angles, st.floats(0.01, 0.99))
def test_half_a_turn_twice_is_the_turn(
    r0: float, p0: float, y0: float, r1: float, p1: float, y1: float, share: float
) -> None:
    first, last = Attitude(0, r0, p0, y0), Attitude(100 * MS, r1, p1, y1)
    telemetry = Telemetry()
    telemetry.add_attitude(last)
    telemetry.add_attitude(first)  # late, but in time
    middle = telemetry.attitude_at(round(share * 100 * MS))
    assert middle is not None
    whole = np.arccos(np.clip((np.trace(matrix(first).T @ matrix(last)) - 1) / 2, -1, 1))
    part = np.arccos(np.clip((np.trace(matrix(first).T @ matrix(middle)) - 1) / 2, -1, 1))
    if whole < 3.1:
        assert part == pytest.approx(share * whole, abs=1e-4)


def test_a_gimbal_looking_straight_down_only_turns() -> None:
    telemetry = Telemetry()
    telemetry.add_attitude(Attitude(0, 0.0, -math.pi / 2, 0.0))
    telemetry.add_attitude(Attitude(100 * MS, math.pi, -math.pi / 2, math.pi + 0.2))
    found = telemetry.attitude_at(50 * MS)
    assert found is not None
    np.testing.assert_allclose(matrix(found), rotation_matrix(0.0, -math.pi / 2, 0.1), atol=1e-6)


def test_the_delay_shifts_the_attitude_only() -> None:
    telemetry = Telemetry(attitude_delay_s=0.1)
    for t in range(0, 1000, 100):
        telemetry.add_attitude(Attitude(t * MS, t / 1000, 0.0, 0.0))
        telemetry.add_height(Height(t * MS, 100.0 + t))
    found, height = telemetry.attitude_at(250 * MS), telemetry.height_at(250 * MS)
    assert found is not None and height is not None
    assert found.roll == pytest.approx(0.35)
    assert height.agl_m == pytest.approx(350.0)


def test_a_gap_is_not_bridged() -> None:
    telemetry = Telemetry()
    telemetry.add_attitude(Attitude(0, 0.0, 0.0, 0.0))
    telemetry.add_attitude(Attitude(2000 * MS, 0.0, 0.0, 0.0))
    assert telemetry.attitude_at(1000 * MS) is None
    assert telemetry.attitude_at(2000 * MS) is not None
    assert telemetry.attitude_at(2040 * MS) is not None
    assert telemetry.attitude_at(2100 * MS) is None
    assert Telemetry().attitude_at(0) is None


def test_height_is_interpolated_with_its_sea_level_and_worst_sigma() -> None:
    telemetry = Telemetry()
    telemetry.add_height(Height(0, 100.0, 300.0, 2.0))
    telemetry.add_height(Height(1000 * MS, 110.0, 312.0, 8.0))
    found = telemetry.height_at(500 * MS)
    assert found is not None
    assert (found.agl_m, found.amsl_m, found.sigma_m) == (105.0, 306.0, 8.0)
    telemetry.add_height(Height(1000 * MS, 110.0, None, 8.0))
    again = telemetry.height_at(500 * MS)
    assert again is not None and again.amsl_m is None
    assert telemetry.height_at(2100 * MS) is None


def test_between_two_sources_lies_neither() -> None:
    telemetry = Telemetry()
    telemetry.add_height(Height(0, 100.0, 600.0, 2.0, "rangefinder"))
    telemetry.add_height(Height(SECOND, 125.0, 602.0, 5.0, "home"))
    early, late = (telemetry.height_at(round(share * SECOND)) for share in (0.4, 0.6))
    assert early is not None and late is not None
    assert (early.agl_m, early.source) == (100.0, "rangefinder")
    assert (late.agl_m, late.source) == (125.0, "home")
    assert early.amsl_m == pytest.approx(600.8) and early.sigma_m == late.sigma_m == 5.0


def test_values_that_are_no_numbers_are_left_out() -> None:
    telemetry = Telemetry()
    telemetry.add_attitude(Attitude(0, math.nan, 0.0, 0.0))
    telemetry.add_height(Height(0, math.inf))
    assert telemetry.attitude_at(0) is None
    assert telemetry.height_at(0) is None


def test_the_past_is_forgotten() -> None:
    telemetry = Telemetry()
    for second in range(100):
        telemetry.add_height(Height(second * 1000 * MS, 100.0))
    assert telemetry.height_at(0) is None
    assert telemetry.height_at(99_000 * MS) is not None


def test_a_height_that_jumps_is_doubted_until_a_match_agrees():
    telemetry = Telemetry()
    for i in range(20):
        telemetry.add_height(Height(i * SECOND // 10, 100.0 + i * 0.5, None, 3.0))
    assert telemetry.height_at(19 * SECOND // 10).sigma_m == 3.0
    for i in range(20, 40):
        telemetry.add_height(Height(i * SECOND // 10, 150.0, None, 3.0))
    assert telemetry.height_at(3 * SECOND).sigma_m > 40.0
    telemetry.trust_heights(SECOND)  # of a frame before the jump
    telemetry.add_height(Height(4 * SECOND, 150.0, None, 3.0))
    assert telemetry.height_at(4 * SECOND).sigma_m > 40.0
    telemetry.trust_heights(3 * SECOND)
    telemetry.add_height(Height(41 * SECOND // 10, 150.0, None, 3.0))
    assert telemetry.height_at(41 * SECOND // 10).sigma_m == 3.0


def sigma_told(telemetry: Telemetry, seconds: float, agl_m: float, amsl_m: float, source: str):
    """One sigma of a height of 3 m as it is right after it was told."""
    time_ns = round(seconds * SECOND)
    telemetry.add_height(Height(time_ns, agl_m, amsl_m, 3.0, source))
    return telemetry.height_at(time_ns).sigma_m


def test_over_one_plane_another_source_that_contradicts_is_doubted():
    telemetry = Telemetry()
    assert sigma_told(telemetry, 0.0, 180.0, 680.0, "home") == 3.0
    assert sigma_told(telemetry, 0.5, 80.0, 680.0, "rangefinder") > 99.0
    assert sigma_told(telemetry, 1.0, 180.0, 680.0, "home") > 99.0


def test_over_hills_each_source_is_held_against_itself():
    telemetry = Telemetry(over_terrain=True)
    for seconds in range(0, 60, 6):
        for later, agl_m, source in ((0, 180.0, "home"), (3, 80.0, "rangefinder")):
            assert sigma_told(telemetry, seconds + later, agl_m, 680.0, source) == 3.0
    assert telemetry.across_sources_m == 100.0
    assert sigma_told(telemetry, 57.5, 20.0, 680.0, "rangefinder") > 59.0
    assert sigma_told(telemetry, 58.0, 180.0, 680.0, "home") == 3.0
    telemetry.trust_heights(58 * SECOND)
    assert sigma_told(telemetry, 58.5, 20.0, 680.0, "rangefinder") == 3.0
    assert telemetry.across_sources_m == 160.0  # it jumped again


def test_a_sea_level_that_jumps_while_the_rangefinder_speaks_is_doubted_after_it():
    telemetry = Telemetry(over_terrain=True)
    assert sigma_told(telemetry, 0.0, 180.0, 680.0, "home") == 3.0
    assert sigma_told(telemetry, 0.5, 80.0, 680.0, "rangefinder") == 3.0
    for seconds in range(1, 20):
        assert sigma_told(telemetry, seconds, 80.0, 740.0, "rangefinder") == 3.0
    assert sigma_told(telemetry, 20.0, 240.0, 740.0, "home") > 59.0
    telemetry.trust_heights(20 * SECOND)
    assert sigma_told(telemetry, 20.5, 240.0, 740.0, "home") == 3.0
