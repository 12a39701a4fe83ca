"""The Kalman filter of the vehicle's position: pure functions on a frozen state.

The state lives in local east-north metres, where everything is linear, so the error state
and the state have the same covariance. It also holds a copy of the position at the last
exposure (stochastic cloning): visual motion is the difference between now and then, and
only with the copy are the two correlated as they should be. And it holds the wind, which
fixes and visual motion teach while they last, so that airspeed carries on without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from onboard.messages import Floats, Motion

# White acceleration, (m/s2)2/Hz: 1 s without a measurement adds 1.8 m, 10 s add 58 m. On
# simulated flights with turns of 3 to 6 m/s2 held for 10 s, 5 was too stiff (a fix a second at
# 24 m/s refused in the turn) and 20 no better.
ACCELERATION_DENSITY = 10.0
FIRST_VELOCITY_SIGMA_M_S = 15.0  # nothing known but that it is a small aircraft
# The share of a position's variance that the next one has in common with it: the map's own
# shift, mounting, height. No number of fixes averages it away. For maps 3 m off; what a worse one
# adds is in common as a whole (`Position.lasting_m2`).
SYSTEMATIC_SHARE = 0.5
FIRST_WIND_SIGMA_M_S = 8.0  # a strong breeze is 11 to 14
WIND_DENSITY = 0.05  # (m/s)2/s of the wind's wandering: 1.7 m/s in a minute
GATE_D2 = 13.8  # squared Mahalanobis distance that 0.1 % of good 2-D measurements exceed

_POSITION, _VELOCITY, _CLONE, _WIND = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)
_SIZE = 8


@dataclass(frozen=True)
class Position:
    """A measured position: local east, north (m) and its 2x2 covariance (m2), of which lasting_m2
    per axis is known to be in the next one too."""

    time_ns: int
    east_m: float
    north_m: float
    covariance: Floats
    lasting_m2: float = 0.0


@dataclass(frozen=True)
class Exposure:
    """The moment of a view, and the motion since the one before where it was seen."""

    time_ns: int
    motion: Motion | None = None


@dataclass(frozen=True)
class AirVelocity:
    """The velocity through the air (m/s), one sigma per axis. Its errors last (a pitot's scale,
    a compass), so it must not come more often than once a second or so; shared_share: the part
    of the way (1 sigma) by which they err alike. wind: that the autopilot tells (east, north,
    one sigma), None when it doesn't; counts while the filter's own is worse."""

    time_ns: int
    east_m_s: float
    north_m_s: float
    sigma_m_s: float
    shared_share: float = 0.0
    wind: tuple[float, float, float] | None = None


Measurement = Position | Exposure | AirVelocity


@dataclass(frozen=True)
class FilterState:
    """mean (8,): east, north (m), their velocities (m/s), east and north at the last exposure,
    the wind's east and north (m/s): where the air moves to.

    systematic: 2x2 m2, to be added to the position's covariance by whoever uses it.
    position_ns, motion_ns, air_ns: when a position, a motion, a velocity through the air was
    last accepted. drift_m: one sigma of the error that the latter two have in common since.
    """

    time_ns: int
    mean: Floats
    covariance: Floats
    systematic: Floats
    position_ns: int
    exposure_ns: int | None = None
    motion_ns: int | None = None
    air_ns: int | None = None
    drift_m: tuple[float, float] = (0.0, 0.0)

    @property
    def position(self) -> Floats:
        return self.mean[_POSITION]

    @property
    def velocity(self) -> Floats:
        return self.mean[_VELOCITY]

    @property
    def position_covariance(self) -> Floats:
        """What may be claimed: the filter's own and the systematic part."""
        total: Floats = self.covariance[_POSITION, _POSITION] + self.systematic
        return total

    @property
    def wind(self) -> Floats:
        return self.mean[_WIND]

    @property
    def wind_sigma_m_s(self) -> float:
        """In the worst direction."""
        return sigma(self.covariance[_WIND, _WIND])

    @property
    def velocity_sigma_m_s(self) -> float:
        """In the worst direction."""
        return sigma(self.covariance[_VELOCITY, _VELOCITY])


def sigma(covariance: Floats) -> float:
    """One sigma in the worst direction."""
    return float(np.sqrt(np.linalg.eigvalsh(covariance)[-1]))


def start(first: Position) -> FilterState:
    """A state at rest as far as is known, but free to move. A fix was an exposure too, so
    the motion from it on can be taken in."""
    mean, covariance = np.zeros(_SIZE), np.zeros((_SIZE, _SIZE))
    mean[_POSITION] = first.east_m, first.north_m
    covariance[_POSITION, _POSITION] = first.covariance
    covariance[_VELOCITY, _VELOCITY] = np.eye(2) * FIRST_VELOCITY_SIGMA_M_S**2
    covariance[_WIND, _WIND] = np.eye(2) * FIRST_WIND_SIGMA_M_S**2
    systematic = _systematic(first)
    return _clone(FilterState(first.time_ns, mean, covariance, systematic, first.time_ns))


def predict(state: FilterState, time_ns: int) -> FilterState:
    """Constant velocity with white acceleration. time_ns must not lie before the state."""
    dt = (time_ns - state.time_ns) * 1e-9
    if dt == 0.0:
        return state
    if dt < 0.0:
        raise ValueError(f"cannot predict {-dt} s backwards")
    f, q = np.eye(_SIZE), np.zeros((_SIZE, _SIZE))
    f[_POSITION, _VELOCITY] = np.eye(2) * dt
    q[_POSITION, _POSITION] = np.eye(2) * dt**3 / 3
    q[_POSITION, _VELOCITY] = q[_VELOCITY, _POSITION] = np.eye(2) * dt**2 / 2
    q[_VELOCITY, _VELOCITY] = np.eye(2) * dt
    q *= ACCELERATION_DENSITY
    q[_WIND, _WIND] = np.eye(2) * WIND_DENSITY * dt
    covariance = f @ state.covariance @ f.T + q
    return replace(state, time_ns=time_ns, mean=f @ state.mean, covariance=covariance)


def correct(state: FilterState, measured: Measurement) -> tuple[FilterState, float]:
    """Predicts to the measurement and takes it in unless it lies outside the gate.

    Returns the state and the squared Mahalanobis distance of the innovation (0 where there
    is nothing to compare, above GATE_D2 when the measurement was left out).
    """
    state = predict(state, measured.time_ns)
    if isinstance(measured, Position):
        h = np.zeros((2, _SIZE))
        h[:, _POSITION] = np.eye(2)
        state, d2 = _update(
            state, h, np.array([measured.east_m, measured.north_m]), measured.covariance
        )
        if d2 <= GATE_D2:
            state = replace(
                state,
                position_ns=measured.time_ns,
                systematic=_systematic(measured),
                drift_m=(0.0, 0.0),
            )
        return state, d2
    if isinstance(measured, AirVelocity):
        return _through_the_air(state, measured)
    motion, d2 = measured.motion, 0.0
    if motion is not None and motion.from_ns == state.exposure_ns:
        h = np.zeros((2, _SIZE))
        h[:, _POSITION], h[:, _CLONE] = np.eye(2), -np.eye(2)
        moved = np.array([motion.east_m, motion.north_m])
        state, d2 = _update(state, h, moved, motion.covariance)
        if d2 <= GATE_D2:
            way = motion.shared_share * moved
            state = replace(_drifted(state, way), motion_ns=measured.time_ns)
    return _clone(state), d2


def _systematic(measured: Position) -> Floats:
    lasting: Floats = measured.lasting_m2 * np.eye(2)
    return lasting + SYSTEMATIC_SHARE * (measured.covariance - lasting)


def _through_the_air(state: FilterState, air: AirVelocity) -> tuple[FilterState, float]:
    if air.wind is not None and state.wind_sigma_m_s > air.wind[2]:
        h = np.zeros((2, _SIZE))
        h[:, _WIND] = np.eye(2)
        state, _ = _update(state, h, np.array(air.wind[:2]), np.eye(2) * air.wind[2] ** 2)
    h = np.zeros((2, _SIZE))
    h[:, _VELOCITY], h[:, _WIND] = np.eye(2), -np.eye(2)
    measured = np.array([air.east_m_s, air.north_m_s])
    state, d2 = _update(state, h, measured, np.eye(2) * air.sigma_m_s**2)
    if d2 > GATE_D2:
        return state, d2
    heard_ns = max(state.position_ns, state.motion_ns or 0, state.air_ns or 0)
    way = air.shared_share * measured * max(0, air.time_ns - heard_ns) * 1e-9
    return replace(_drifted(state, way), air_ns=air.time_ns), d2


def _update(
    state: FilterState, h: Floats, measured: Floats, noise: Floats
) -> tuple[FilterState, float]:
    innovation = measured - h @ state.mean
    s = h @ state.covariance @ h.T + noise
    d2 = float(innovation @ np.linalg.solve(s, innovation))
    if not d2 <= GATE_D2:
        return state, d2
    gain = np.linalg.solve(s, h @ state.covariance).T
    keep = np.eye(_SIZE) - gain @ h
    # Joseph's form stays symmetric and positive after thousands of updates.
    covariance = keep @ state.covariance @ keep.T + gain @ noise @ gain.T
    return replace(state, mean=state.mean + gain @ innovation, covariance=covariance), d2


def _drifted(state: FilterState, way_m: Floats) -> FilterState:
    """A wrong height or yaw errs alike in every motion, so their errors add up along the way
    and not by the root of their number. Across as well as along: yaw turns the way. way_m: one
    sigma of it, (2,) east, north."""
    east_m, north_m = state.drift_m[0] + float(way_m[0]), state.drift_m[1] + float(way_m[1])
    grown_m2 = east_m**2 + north_m**2 - state.drift_m[0] ** 2 - state.drift_m[1] ** 2
    covariance = state.covariance.copy()
    covariance[_POSITION, _POSITION] += np.eye(2) * max(0.0, grown_m2)
    return replace(state, covariance=covariance, drift_m=(east_m, north_m))


def _clone(state: FilterState) -> FilterState:
    mean, covariance = state.mean.copy(), state.covariance.copy()
    mean[_CLONE] = mean[_POSITION]
    covariance[_CLONE, :] = covariance[_POSITION, :]
    covariance[:, _CLONE] = covariance[:, _POSITION]
    return replace(state, mean=mean, covariance=covariance, exposure_ns=state.time_ns)
