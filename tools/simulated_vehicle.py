"""A small fixed-wing that flies a route in wind and gusts: where it truly is, and how it hangs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.05
AIR_SPEED_M_S = 16.0
MAX_BANK = math.radians(25.0)
TURN_GAIN_1_S = 0.6  # turn rate per radian of heading error
WAYPOINT_REACHED_M = 60.0
MEAN_WIND_M_S = (3.0, -2.0)  # east, north
GUST_M_S, GUST_TIME_S = 1.2, 3.0  # sigma and correlation time
SHAKE, SHAKE_TIME_S = math.radians(2.2), 0.8  # roll and pitch in turbulence
TRIM_PITCH = math.radians(2.0)
GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True)
class Trajectory:
    """Samples every STEP_S. east_m, north_m: metres in the landscape; angles rad as `Attitude`."""

    time_ns: NDArray[np.int64]
    east_m: NDArray[np.float64]
    north_m: NDArray[np.float64]
    roll: NDArray[np.float64]
    pitch: NDArray[np.float64]
    yaw: NDArray[np.float64]  # unwrapped
    velocity_m_s: NDArray[np.float64]  # (N, 2) east, north over the ground

    def at(self, time_ns: int) -> tuple[float, float, float, float, float]:
        """(east_m, north_m, roll, pitch, yaw), linear between samples."""
        t = (self.time_ns - self.time_ns[0]).astype(np.float64)
        columns = (self.east_m, self.north_m, self.roll, self.pitch, self.yaw)
        east, north, roll, pitch, yaw = (
            float(np.interp(float(time_ns - self.time_ns[0]), t, c)) for c in columns
        )
        return east, north, roll, pitch, yaw


def fly(
    waypoints: Sequence[tuple[float, float]], seconds: float, start_ns: int, seed: int
) -> Trajectory:
    """From the first waypoint towards the others, round and round, for so many seconds."""
    rng = np.random.default_rng([seed, 0xF17])
    n = round(seconds / STEP_S) + 1
    rows = np.zeros((n, 7))
    (east, north), target = waypoints[0], 1
    yaw = math.atan2(waypoints[1][0] - east, waypoints[1][1] - north)
    gust, shake, bank = np.zeros(2), np.zeros(2), 0.0
    for k in range(n):
        to_east, to_north = waypoints[target][0] - east, waypoints[target][1] - north
        if math.hypot(to_east, to_north) < WAYPOINT_REACHED_M:
            target = (target + 1) % len(waypoints)
        wind = np.array(MEAN_WIND_M_S) + gust
        wanted = _heading_into_wind(math.atan2(to_east, to_north), wind)
        error = (wanted - yaw + math.pi) % (2 * math.pi) - math.pi
        rate = TURN_GAIN_1_S * error
        wanted_bank = math.atan(rate * AIR_SPEED_M_S / GRAVITY_M_S2)
        bank += (float(np.clip(wanted_bank, -MAX_BANK, MAX_BANK)) - bank) * STEP_S / 0.4
        yaw += GRAVITY_M_S2 * math.tan(bank) / AIR_SPEED_M_S * STEP_S
        velocity = AIR_SPEED_M_S * np.array([math.sin(yaw), math.cos(yaw)]) + wind
        rows[k] = (east, north, bank + shake[0], TRIM_PITCH + shake[1], yaw, *velocity)
        east, north = east + velocity[0] * STEP_S, north + velocity[1] * STEP_S
        gust = _wander(rng, gust, GUST_M_S, GUST_TIME_S)
        shake = _wander(rng, shake, SHAKE, SHAKE_TIME_S)
    time_ns = start_ns + (np.arange(n) * round(STEP_S * 1e9)).astype(np.int64)
    east_m, north_m, roll, pitch, yaws = rows[:, :5].T
    return Trajectory(time_ns, east_m, north_m, roll, pitch, yaws, rows[:, 5:])


def _heading_into_wind(track: float, wind: NDArray[np.float64]) -> float:
    """The heading whose path over the ground points along `track`."""
    cross = wind[0] * math.cos(track) - wind[1] * math.sin(track)
    return track - math.asin(float(np.clip(cross / AIR_SPEED_M_S, -0.9, 0.9)))


def _wander(
    rng: np.random.Generator, value: NDArray[np.float64], sigma: float, time_s: float
) -> NDArray[np.float64]:
    """One step of a first-order Gauss-Markov process."""
    keep = math.exp(-STEP_S / time_s)
    return value * keep + rng.normal(0, sigma * math.sqrt(1 - keep * keep), value.shape)
