"""What a flight learns of its own errors, and that it keeps what is true and forgets what isn't."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.flight_calibration import (
    MAX_HEIGHT_SHARE,
    MAX_YAW_RAD,
    FlightCalibration,
    Sight,
)
from onboard.geodesy import enu_offset_m
from onboard.messages import Fix, Floats
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.protection import PROTECTION_SIGMAS
from onboard.telemetry_messages import Attitude, Height
from tests.onboard.flights import LAT_DEG, LON_DEG, SECOND, fix

DIRECTION_SIGMA = math.radians(5.0)
AGL_M = 120.0
SIGMA_M = math.hypot(MAP_SIGMA_M, math.hypot(1.0, DIRECTION_SIGMA * AGL_M))


def error(heading: float, map_shift: tuple[float, float], forward: float, agl_m: float) -> Floats:
    ahead = np.array([math.sin(heading), math.cos(heading)])
    wrong: Floats = np.array(map_shift) + forward * agl_m * ahead
    return wrong


def flown(
    headings: list[float],
    map_shift: tuple[float, float] = (1.0, -4.0),
    forward: float = math.tan(math.radians(9.0)),
    seconds: int = 300,
    map_sigma_m: float = MAP_SIGMA_M,
) -> FlightCalibration:
    """A fix a second, the headings in turn for 30 s each."""
    calibration = FlightCalibration(DIRECTION_SIGMA, map_sigma_m)
    rng = np.random.default_rng(4)
    for second in range(seconds):
        heading = headings[second // 30 % len(headings)]
        apart = error(heading, map_shift, forward, AGL_M) + rng.normal(0.0, 1.5, 2)
        seen = fix(second, *map(float, apart), sigma_m=SIGMA_M)
        assert calibration.add_difference(seen, Sight(heading, AGL_M), apart, 1.5)
    return calibration


def left_over(calibration: FlightCalibration, heading: float, agl_m: float = AGL_M) -> float:
    wrong = error(heading, (1.0, -4.0), math.tan(math.radians(9.0)), agl_m)
    seen = fix(301, *map(float, wrong), sigma_m=SIGMA_M)
    right = calibration.apply(seen, Sight(heading, agl_m))
    truth = fix(301)
    return float(
        np.hypot(*enu_offset_m(truth.lat_deg, truth.lon_deg, right.lat_deg, right.lon_deg))
    )


def test_turns_tell_the_map_from_the_mounting() -> None:
    calibration = flown([0.0, 1.6, 3.1, 4.7])
    assert calibration.mean[:2] == pytest.approx([1.0, -4.0], abs=1.5)
    assert math.degrees(calibration.mean[2]) == pytest.approx(9.0, abs=0.8)
    for heading in (0.7, 2.0, 5.5):
        assert left_over(calibration, heading) < 2.0
        assert left_over(calibration, heading, agl_m=60.0) < 2.5


def test_a_map_that_says_it_is_off_far_is_corrected_far_and_forgotten_as_far() -> None:
    headings, shift = [0.0, 1.6, 3.1, 4.7], (18.0, -12.0)
    told = flown(headings, shift, 0.0, map_sigma_m=8.0)
    assert told.mean[:2] == pytest.approx(shift, abs=1.5)
    assert told.map_m2(300 * SECOND, Sight(0.0, AGL_M)) < 3.0**2
    assert told.map_m2(9000 * SECOND, Sight(0.0, AGL_M)) == pytest.approx(8.0**2, rel=0.01)
    straight = flown([0.0], shift, 0.0, map_sigma_m=8.0)
    assert straight.map_m2(300 * SECOND, Sight(0.0, AGL_M)) < 3.0**2
    assert straight.map_m2(300 * SECOND, Sight(math.pi, AGL_M)) > 5.0**2
    later = told.noise_m2(fix(9000, sigma_m=12.0), Sight(0.0, 1.0))[1]
    assert later == pytest.approx(8.0**2, rel=0.01)


def test_a_single_heading_corrects_itself_and_admits_that_it_knows_no_other() -> None:
    calibration = flown([0.7])
    assert left_over(calibration, 0.7) < 1.5

    def sigma_m(heading: float) -> float:
        seen = fix(301, sigma_m=SIGMA_M)
        covariance = calibration.apply(seen, Sight(heading, AGL_M)).covariance
        return math.sqrt(float(np.linalg.eigvalsh(covariance)[-1]))

    assert sigma_m(0.7) < SIGMA_M / 2
    assert sigma_m(0.7 + math.pi) > 1.5 * sigma_m(0.7)
    assert left_over(calibration, 0.7 + math.pi) < 2.5 * sigma_m(0.7 + math.pi)


def test_it_is_kept_for_minutes_and_the_map_is_forgotten_in_time() -> None:
    calibration = flown([0.0, 1.6, 3.1, 4.7])
    now, later = (
        calibration.apply(fix(t, sigma_m=SIGMA_M), Sight(0.0, AGL_M)) for t in (301, 5000)
    )
    grown = np.trace(later.covariance) - np.trace(now.covariance)
    assert grown > MAP_SIGMA_M**2
    assert np.trace(later.covariance) < np.trace(fix(0, sigma_m=SIGMA_M).covariance)


def test_what_was_learned_from_a_moment_on_can_be_taken_back() -> None:
    straight = flown([0.0, 1.6, 3.1, 4.7], seconds=200)
    led_away = flown([0.0, 1.6, 3.1, 4.7], seconds=200)
    for second in range(200, 240):
        sight, apart = Sight(0.0, AGL_M), error(0.0, (1.0, -4.0 - (second - 199)), 0.158, AGL_M)
        led_away.add_difference(fix(second, *map(float, apart), sigma_m=SIGMA_M), sight, apart, 1.5)
    assert np.abs(led_away.mean - straight.mean).max() > 0.3
    led_away.roll_back(199 * SECOND)
    np.testing.assert_allclose(led_away.mean[:2], straight.mean[:2], atol=0.5)


def test_a_receiver_led_away_teaches_little_in_the_time_until_it_is_found() -> None:
    calibration = flown([0.0, 1.6, 3.1, 4.7])
    before = calibration.mean.copy()
    for second in range(300, 330):  # 1 m/s for 30 s
        apart = error(0.0, (1.0, -4.0 - (second - 299)), 0.158, AGL_M)
        seen = fix(second, *map(float, apart), sigma_m=SIGMA_M)
        calibration.add_difference(seen, Sight(0.0, AGL_M), apart, 1.5)
    assert np.hypot(*(calibration.mean - before)[:2]) < 5.0


def test_what_no_calibration_explains_is_left_out() -> None:
    calibration = flown([0.0, 1.6, 3.1, 4.7])
    before = calibration.mean.copy()
    apart = np.array([60.0, 0.0])
    seen = fix(301, 60.0, sigma_m=SIGMA_M)
    assert not calibration.add_difference(seen, Sight(0.0, AGL_M), apart, 1.5)
    np.testing.assert_array_equal(calibration.mean, before)


def test_nothing_learned_changes_nothing() -> None:
    calibration = FlightCalibration(DIRECTION_SIGMA)
    seen = fix(5)
    assert calibration.apply(seen, Sight(0.3, AGL_M)) is seen
    told = Height(0, AGL_M)
    assert calibration.corrections.height(told) is told
    assert calibration.corrections.attitude(None) is None


def matched(yaw: float, agl_m: float, fixes: int = 60) -> FlightCalibration:
    """Yaw and height are off by so much; what is left over falls as the corrections grow."""
    calibration, rng = FlightCalibration(DIRECTION_SIGMA), np.random.default_rng(1)
    for second in range(fixes):
        used = calibration.corrections
        agl_used = AGL_M - agl_m + used.agl_m
        rotation = yaw - used.yaw + rng.normal(0.0, 0.02)
        scale = AGL_M / agl_used + rng.normal(0.0, 0.01)
        sight = Sight(0.0, agl_used, float(rotation), float(scale), used)
        calibration.add_match(second * SECOND, sight, 8.0)
    return calibration


def test_yaw_and_height_need_no_gnss() -> None:
    corrections = matched(math.radians(-4.0), 9.0).corrections
    assert math.degrees(corrections.yaw) == pytest.approx(-4.0, abs=0.8)
    assert corrections.agl_m == pytest.approx(9.0, abs=1.5)
    attitude = corrections.attitude(Attitude(0, 0.1, 0.2, 1.0))
    height = corrections.height(Height(0, AGL_M - 9.0, 500.0, 8.0))
    assert attitude is not None and height is not None
    assert (attitude.roll, attitude.pitch) == (0.1, 0.2)
    assert height.agl_m == pytest.approx(AGL_M, abs=1.5)
    assert height.amsl_m == 500.0
    assert height.sigma_m < 3.0


def test_yaw_and_height_stay_bounded() -> None:
    corrections = matched(math.radians(40.0), 100.0).corrections
    assert abs(corrections.yaw) <= MAX_YAW_RAD
    assert abs(corrections.agl_m) <= MAX_HEIGHT_SHARE * AGL_M * 1.01


@given(
    st.lists(
        st.tuples(st.floats(-4.0, 4.0), st.floats(-30.0, 30.0), st.floats(-30.0, 30.0)),
        min_size=1,
        max_size=40,
    ),
    st.floats(10.0, 3000.0),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_the_covariance_stays_one(
    seen: list[tuple[float, float, float]], agl_m: float
) -> None:
    calibration = FlightCalibration(math.radians(2.0))
    for second, (heading, east, north) in enumerate(seen):
        calibration.add_difference(
            fix(second, sigma_m=4.0), Sight(heading, agl_m), np.array([east, north]), 2.0
        )
    assert np.linalg.eigvalsh(calibration.covariance)[0] > 0.0
    applied: Fix = calibration.apply(fix(len(seen), sigma_m=4.0), Sight(1.0, agl_m))
    least = np.linalg.eigvalsh(applied.covariance)
    assert least[0] > 0.0
    told_m = fix(0, sigma_m=4.0).protection_m
    assert applied.protection_m >= min(told_m, 0.999 * PROTECTION_SIGMAS * math.sqrt(least[1]))
    assert np.isfinite([applied.lat_deg, applied.lon_deg]).all()
    assert abs(applied.lat_deg - LAT_DEG) < 1.0 and abs(applied.lon_deg - LON_DEG) < 1.0
