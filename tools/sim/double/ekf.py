"""The autopilot's horizontal estimate: position and velocity, predicted by the accelerometers.

Two axes with one covariance between them, as both are always measured alike. A measurement is
compared with the state at the moment it is taken to belong to, and corrects the present.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

ACCELERATION_NOISE_M_S2 = 0.35  # EK3_ACC_P_NSE, per step
# What is left of the accelerometers' bias: 11-15 m of drift in 45 s (facts, 1.4).
BIAS_M_S2 = 0.013
BUFFER_NS = 250_000_000  # EKF3 looks back no further
POSITION_SIGMA_M, VELOCITY_SIGMA_M_S = 0.5, 0.3  # at the start

Vector = tuple[float, float]  # north, east


class Ekf:
    """Metres and m/s north and east of home."""

    def __init__(self, seed: int) -> None:
        towards = float(np.random.default_rng([seed, 0xEF]).uniform(0.0, 2 * math.pi))
        self._bias = (BIAS_M_S2 * math.cos(towards), BIAS_M_S2 * math.sin(towards))
        self.position: Vector = (0.0, 0.0)
        self.velocity: Vector = (0.0, 0.0)
        self._pp, self._pv, self._vv = POSITION_SIGMA_M**2, 0.0, VELOCITY_SIGMA_M_S**2
        # Dead reckoning without corrections, to look back by: ns, position, velocity.
        self._travel = (0.0, 0.0, 0.0, 0.0)
        self._history: deque[tuple[int, tuple[float, float, float, float]]] = deque(maxlen=64)

    def predict(self, now_ns: int, dt: float, acceleration_m_s2: Vector) -> None:
        north = (acceleration_m_s2[0] + self._bias[0]) * dt
        east = (acceleration_m_s2[1] + self._bias[1]) * dt
        vn, ve = self.velocity
        step = (vn * dt + north * dt / 2, ve * dt + east * dt / 2)
        self.position = (self.position[0] + step[0], self.position[1] + step[1])
        self.velocity = (vn + north, ve + east)
        t = self._travel
        self._travel = (t[0] + step[0], t[1] + step[1], t[2] + north, t[3] + east)
        self._history.append((now_ns, self._travel))
        self._pp += 2 * self._pv * dt + self._vv * dt * dt
        self._pv += self._vv * dt
        self._vv += (ACCELERATION_NOISE_M_S2 * dt) ** 2

    def hold(self, now_ns: int) -> None:
        """Given up: taken to stand still where it is."""
        self.velocity = (0.0, 0.0)
        self._history.append((now_ns, self._travel))

    def position_off(self, position: Vector, as_of_ns: int) -> Vector:
        """The innovation."""
        back = self._since(as_of_ns)
        return (
            position[0] - (self.position[0] - back[0]),
            position[1] - (self.position[1] - back[1]),
        )

    def velocity_off(self, velocity: Vector, as_of_ns: int) -> Vector:
        back = self._since(as_of_ns)
        return (
            velocity[0] - (self.velocity[0] - back[2]),
            velocity[1] - (self.velocity[1] - back[3]),
        )

    def position_ratio(self, off: Vector, sigma_m: float, gate: float) -> float:
        """Squared innovation by its limit: above 1 it is outside the gate."""
        return (off[0] ** 2 + off[1] ** 2) / (gate**2 * 2 * (self._pp + sigma_m**2))

    def velocity_ratio(self, off: Vector, sigma_m_s: float, gate: float) -> float:
        return (off[0] ** 2 + off[1] ** 2) / (gate**2 * 2 * (self._vv + sigma_m_s**2))

    def fuse_position(self, off: Vector, sigma_m: float) -> None:
        spread = self._pp + sigma_m**2
        self._correct(off, self._pp / spread, self._pv / spread)
        pp, pv, vv = self._pp, self._pv, self._vv
        self._pp, self._pv = pp - pp * pp / spread, pv - pp * pv / spread
        self._vv = max(vv - pv * pv / spread, 1e-6)

    def fuse_velocity(self, off: Vector, sigma_m_s: float) -> None:
        spread = self._vv + sigma_m_s**2
        self._correct(off, self._pv / spread, self._vv / spread)
        pp, pv, vv = self._pp, self._pv, self._vv
        self._vv, self._pv = vv - vv * vv / spread, pv - vv * pv / spread
        self._pp = max(pp - pv * pv / spread, 1e-6)

    def reset_position(self, position: Vector, as_of_ns: int, sigma_m: float) -> None:
        """Onto a measurement, however far it is."""
        off = self.position_off(position, as_of_ns)
        self._correct(off, 1.0, 0.0)
        self._pp, self._pv = sigma_m**2, 0.0

    def reset_velocity(self, velocity: Vector, as_of_ns: int, sigma_m_s: float) -> None:
        off = self.velocity_off(velocity, as_of_ns)
        self._correct(off, 0.0, 1.0)
        self._vv, self._pv = sigma_m_s**2, 0.0

    def _correct(self, off: Vector, on_position: float, on_velocity: float) -> None:
        n, e = self.position
        self.position = (n + off[0] * on_position, e + off[1] * on_position)
        vn, ve = self.velocity
        self.velocity = (vn + off[0] * on_velocity, ve + off[1] * on_velocity)

    def _since(self, as_of_ns: int) -> tuple[float, float, float, float]:
        """Travelled and accelerated since then, as far back as the buffer goes."""
        if not self._history:
            return (0.0, 0.0, 0.0, 0.0)
        newest_ns = self._history[-1][0]
        wanted_ns = max(as_of_ns, newest_ns - BUFFER_NS)
        then = self._travel
        for time_ns, travel in reversed(self._history):
            then = travel
            if time_ns <= wanted_ns:
                break
        now = self._travel
        return now[0] - then[0], now[1] - then[1], now[2] - then[2], now[3] - then[3]
