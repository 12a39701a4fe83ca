"""Airspeed and the wind that was learned carry a plane when nothing else does."""

import math

import numpy as np
import pytest

from onboard.air_data import AirSpeed
from onboard.filter_history import FilterHistory
from onboard.fuse import Estimator
from onboard.fusion import Fusion
from onboard.messages import Motion
from onboard.position_filter import (
    FIRST_WIND_SIGMA_M_S,
    AirVelocity,
    Exposure,
    FilterState,
    Position,
    sigma,
)
from onboard.protection import PROTECTION_SIGMAS
from onboard.telemetry_messages import AirData, Attitude, VehicleState
from tests.onboard.flights import LAT_DEG, LON_DEG, fix, gnss

SECOND = 1_000_000_000
WIND = np.array([4.0, -3.0])
AIRSPEED_M_S = 18.0
PLANE = VehicleState(0, "ardupilot", "plane", True, "AUTO")


def heading(time_s: float) -> float:
    return 0.1 * time_s  # a turn every minute: the wind can be told from the heading


def fly(
    learn_s: int, blind_s: int, seed: int = 1, air: bool = True, told_wind: bool = False
) -> tuple[FilterState, np.ndarray]:
    """Fixes and motion for learn_s, then airspeed alone; the state and the true position."""
    rng = np.random.default_rng(seed)
    airspeed, history = AirSpeed(), None
    airspeed.hear(PLANE)
    place, before = np.zeros(2), np.zeros(2)
    scale, compass = 1 + rng.normal(0, 0.04), rng.normal(0, 0.06)
    for k in range(learn_s + blind_s + 1):
        ns, yaw = k * SECOND, heading(k)
        if k <= learn_s:
            seen = place + rng.normal(0, 2.0, 2)
            fix = Position(ns, seen[0], seen[1], np.eye(2) * 4.0)
            if history is None:
                history = FilterHistory(fix)
            else:
                moved = place - before + rng.normal(0, 0.5, 2)
                history.insert(
                    Exposure(ns, Motion(ns - SECOND, ns, moved[0], moved[1], np.eye(2) * 0.25))
                )
                history.insert(fix)
        if air:
            wind = (float(WIND[1]), float(WIND[0])) if told_wind else (None, None)
            data = AirData(ns, AIRSPEED_M_S * scale + rng.normal(0, 0.5), *wind)
            velocity = airspeed.velocity(data, Attitude(ns, 0.0, 0.0, yaw + compass))
            assert velocity is not None
            history.insert(velocity)
        before = place.copy()
        if k < learn_s + blind_s:
            for part in np.arange(0.0, 1.0, 0.1):
                at = heading(k + part + 0.05)
                air_m_s = AIRSPEED_M_S * np.array([math.sin(at), math.cos(at)])
                place = place + (air_m_s + WIND) * 0.1
    assert history is not None
    state = history.state_at((learn_s + blind_s) * SECOND)
    assert state is not None
    return state, place


def test_the_wind_is_learned_while_fixes_come() -> None:
    state, _ = fly(60, 0)
    assert np.hypot(*(state.wind - WIND)) < 2.0
    assert state.wind_sigma_m_s < FIRST_WIND_SIGMA_M_S / 3


def test_airspeed_carries_on_where_nothing_else_does() -> None:
    errors, alone = [], []
    for seed in range(12):
        state, place = fly(60, 30, seed)
        error = state.position - place
        errors.append(error @ np.linalg.solve(state.position_covariance, error))
        assert np.hypot(*error) < 150.0
        assert sigma(state.position_covariance) < 80.0
        without, place = fly(60, 30, seed, air=False)
        alone.append(float(np.hypot(*(without.position - place))))
    assert np.mean(np.array(errors) < 5.991) > 0.8
    assert max(errors) < 18.0
    assert np.median(alone) > 300.0  # straight on, where the plane turned


def test_a_wind_that_is_told_counts_while_none_is_learned() -> None:
    told, _ = fly(0, 1, told_wind=True)
    unknown, _ = fly(0, 1)
    assert np.hypot(*(told.wind - WIND)) < 2.0
    assert told.wind_sigma_m_s < 4.0 < unknown.wind_sigma_m_s


def test_a_wind_that_is_told_wrongly_does_not_replace_one_that_was_learned() -> None:
    state, _ = fly(60, 0)
    history = FilterHistory(Position(0, 0.0, 0.0, np.eye(2)))
    history._states[0] = state
    air = state.velocity - state.wind
    wrong = AirVelocity(state.time_ns + SECOND, air[0], air[1], 2.0, wind=(-9.0, 9.0, 3.0))
    history.insert(wrong)
    assert np.hypot(*(history.newest.wind - state.wind)) < 0.5


def test_a_flight_takes_airspeed_in() -> None:
    fusion = Fusion((LAT_DEG, LON_DEG), 0.02)
    for k in range(4):
        assert fusion.estimator.add_fix(fix(k)) is None or k < 2
    before = fusion.estimate_at(4 * SECOND)
    fusion.take(PLANE)
    fusion.add_air(AirData(4 * SECOND, 7.0), Attitude(0, 0.0, 0.0, 0.0))
    after = fusion.estimate_at(4 * SECOND)
    assert before is not None and after is not None
    assert after.velocity_north_m_s > before.velocity_north_m_s + 0.2


def test_a_bound_comes_with_what_was_seen_but_not_with_what_gnss_carries() -> None:
    estimator = Estimator((LAT_DEG, LON_DEG))
    estimator.add_gnss(gnss(0))
    carried = estimator.estimate_at(0)
    assert carried is not None and carried.protection_m is None
    assert estimator.add_fix(fix(0.8)) is None
    seen, later = estimator.estimate_at(8 * SECOND // 10), estimator.estimate_at(8 * SECOND)
    assert seen is not None and later is not None
    assert seen.protection_m == pytest.approx(PROTECTION_SIGMAS * sigma(seen.covariance))
    assert later.protection_m is not None and later.protection_m > 3 * seen.protection_m


@pytest.mark.parametrize(
    ("kind", "airspeed_m_s", "attitude"),
    [
        ("copter", 18.0, Attitude(0, 0.0, 0.0, 0.0)),
        ("plane", None, Attitude(0, 0.0, 0.0, 0.0)),
        ("plane", 1.0, Attitude(0, 0.0, 0.0, 0.0)),
        ("plane", math.nan, Attitude(0, 0.0, 0.0, 0.0)),
        ("plane", 18.0, None),
    ],
)
def test_what_says_nothing_is_left_out(kind, airspeed_m_s, attitude) -> None:
    airspeed = AirSpeed()
    airspeed.hear(VehicleState(0, "ardupilot", kind, True, "AUTO"))
    assert airspeed.velocity(AirData(0, airspeed_m_s), attitude) is None


def test_lasting_errors_do_not_average_out_by_coming_often() -> None:
    airspeed = AirSpeed()
    airspeed.hear(PLANE)
    attitude = Attitude(0, 0.0, 0.0, math.pi / 2)
    taken = [
        velocity
        for k in range(21)
        if (velocity := airspeed.velocity(AirData(k * SECOND // 10, 20.0), attitude))
    ]
    assert len(taken) == 3
    assert taken[0].east_m_s == pytest.approx(20.0)
    assert taken[0].north_m_s == pytest.approx(0.0, abs=1e-9)
    assert taken[0].sigma_m_s > 1.5
