"""The vehicles obey their commands as believed, and the laws of motion in truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.sim.vehicles import (
    AIR_SPEED_M_S,
    GRAVITY_M_S2,
    MAX_BANK,
    MAX_TILT,
    Body,
    Copter,
    Demand,
    Plane,
    Wind,
)

DT = 0.01


def true_velocity(body: Body) -> tuple[float, float]:
    return body.north_m_s, body.east_m_s


@settings(max_examples=20, deadline=None)
@given(
    speed=st.floats(0.0, 10.0),
    course=st.floats(-3.1, 3.1),
    yaw=st.floats(-3.1, 3.1),
    wind=st.tuples(st.floats(-7, 7), st.floats(-7, 7)),
)
def test_copter_reaches_the_velocity_asked_for_in_any_wind(
    speed: float, course: float, yaw: float, wind: tuple[float, float]
) -> None:
    copter = Copter(Body(up_m=50.0))
    wanted = (speed * math.cos(course), speed * math.sin(course))
    for _ in range(2500):
        copter.step(DT, Demand(wanted, 0.0, yaw), true_velocity(copter.body), wind)
        assert max(abs(copter.body.roll), abs(copter.body.pitch)) <= MAX_TILT + 1e-9
    assert math.dist(true_velocity(copter.body), wanted) < 0.3
    assert math.cos(copter.body.yaw - yaw) > 0.999


def test_copter_tilts_into_its_acceleration() -> None:
    """Nose down to go forward, right side down to go right, whatever the heading."""
    for yaw in (0.0, 1.0, -2.0):
        copter = Copter(Body(up_m=50.0, yaw=yaw))
        ahead = (5 * math.cos(yaw), 5 * math.sin(yaw))
        copter.step(0.2, Demand(ahead), (0.0, 0.0), (0.0, 0.0))
        assert copter.body.pitch < -0.05 and abs(copter.body.roll) < 1e-6
        copter = Copter(Body(up_m=50.0, yaw=yaw))
        right = (-5 * math.sin(yaw), 5 * math.cos(yaw))
        copter.step(0.2, Demand(right), (0.0, 0.0), (0.0, 0.0))
        assert copter.body.roll > 0.05 and abs(copter.body.pitch) < 1e-6


def test_a_wrong_belief_really_displaces_it() -> None:
    copter = Copter(Body(up_m=50.0))
    for _ in range(1000):
        body = copter.body
        believed = (body.north_m_s - 1.0, body.east_m_s)  # 1 m/s slower than it is
        copter.step(DT, Demand((0.0, 0.0)), believed, (0.0, 0.0))
    assert copter.body.north_m_s == pytest.approx(1.0, abs=0.1)
    assert copter.body.north_m > 5.0


def test_level_it_drifts_with_the_air() -> None:
    copter = Copter(Body(up_m=50.0))
    for _ in range(3000):
        copter.step(DT, Demand(None), (0.0, 0.0), (4.0, -3.0))
    assert true_velocity(copter.body) == pytest.approx((4.0, -3.0), abs=0.1)


@pytest.mark.parametrize("kind", [Copter, Plane])
def test_acceleration_is_the_rate_of_velocity_and_velocity_of_position(kind: type) -> None:
    vehicle = kind(Body(up_m=80.0))
    rng = np.random.default_rng(3)
    for _ in range(400):
        before = vars(vehicle.body).copy()
        demand = Demand(tuple(rng.uniform(-8, 8, 2)), float(rng.uniform(-1, 2)), 0.4)
        vehicle.step(DT, demand, true_velocity(vehicle.body), (1.0, 2.0))
        b = vehicle.body
        rate = (b.north_m_s - before["north_m_s"]) / DT
        assert b.acceleration_m_s2[0] == pytest.approx(rate)
        mean = (b.east_m_s + before["east_m_s"]) / 2
        assert b.east_m - before["east_m"] == pytest.approx(mean * DT)


def test_on_the_ground_it_stands_until_it_climbs_and_lands_again() -> None:
    copter = Copter()
    copter.step(DT, Demand((5.0, 0.0)), (0.0, 0.0), (8.0, 0.0))
    assert vars(copter.body)["north_m_s"] == 0.0 and copter.body.on_ground
    for _ in range(500):
        copter.step(DT, Demand((0.0, 0.0), 2.0), true_velocity(copter.body), (0.0, 0.0))
    assert copter.body.up_m > 5.0
    for _ in range(2000):
        copter.step(DT, Demand((0.0, 0.0), -1.0), true_velocity(copter.body), (0.0, 0.0))
    assert copter.body.on_ground and copter.body.up_m == 0.0


def test_plane_turns_onto_its_course_by_banking() -> None:
    plane = Plane(Body(up_m=100.0, north_m_s=AIR_SPEED_M_S), AIR_SPEED_M_S)
    banks = []
    for _ in range(3000):
        before = plane.body.yaw
        plane.step(DT, Demand((0.0, 16.0)), true_velocity(plane.body), (3.0, -2.0))
        turned = (plane.body.yaw - before + math.pi) % (2 * math.pi) - math.pi
        expected = GRAVITY_M_S2 * math.tan(plane.body.roll) / AIR_SPEED_M_S * DT
        assert turned == pytest.approx(expected, abs=1e-9)
        banks.append(plane.body.roll)
    b = plane.body
    assert math.atan2(b.east_m_s, b.north_m_s) == pytest.approx(math.pi / 2, abs=0.02)
    assert 0.3 < max(banks) <= MAX_BANK + 1e-6
    through_air = math.hypot(b.north_m_s - 3.0, b.east_m_s + 2.0)
    assert through_air == pytest.approx(AIR_SPEED_M_S, abs=0.01)


def test_gusts_have_the_strength_asked_for_and_come_from_where_wind_does() -> None:
    wind = Wind(seed=4)
    wind.speed_m_s, wind.from_deg, wind.gust_m_s = 6.0, 270.0, 1.5
    blown = np.array([wind.step(0.1) for _ in range(20_000)])
    assert blown.mean(axis=0) == pytest.approx([0.0, 6.0], abs=0.3)
    assert blown.std(axis=0) == pytest.approx([1.5, 1.5], abs=0.2)
    again = Wind(seed=4)
    again.speed_m_s, again.from_deg, again.gust_m_s = 6.0, 270.0, 1.5
    assert again.step(0.1) == tuple(blown[0])
