"""A small multicopter and a small fixed-wing: what the air and the ground make of their commands.

Positions and velocities are metres and m/s north, east and up of the home on the ground. A
vehicle is steered by velocities it is asked for against those the autopilot *believes* to fly:
believing wrongly, it really goes wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

GRAVITY_M_S2 = 9.80665
ATTITUDE_TIME_S = 0.15  # until a tilt or bank is reached by two thirds
GUST_TIME_S = 2.0  # correlation time of gusts

# Copter: ArduPilot's defaults or a usual 2 kg quad's.
MAX_TILT = math.radians(30.0)
MAX_CLIMB_M_S, MAX_SINK_M_S = 2.5, 1.5
VELOCITY_GAIN_1_S, INTEGRAL_GAIN_1_S2 = 2.0, 0.4
MAX_INTEGRAL_M_S2 = 3.0  # holds against about 15 m/s of wind
MAX_ACCELERATION_M_S2 = 2.5
COPTER_DRAG_1_S = 0.2  # deceleration per m/s through the air
MAX_YAW_RATE = math.radians(60.0)
CLIMB_TIME_S = 0.5

# Plane.
AIR_SPEED_M_S = 16.0
MAX_BANK = math.radians(45.0)
TURN_GAIN_1_S = 0.8  # turn rate per radian of course error
TRIM_PITCH = math.radians(2.0)
PLANE_CLIMB_M_S = 3.0
TAKE_OFF_M_S2 = 5.0


@dataclass(frozen=True)
class Demand:
    """What guidance asks for: velocity over the ground, climb, and a heading (rad, None to
    keep it). Without a velocity (None) the vehicle is held level and drifts."""

    velocity_m_s: tuple[float, float] | None  # north, east
    climb_m_s: float = 0.0
    yaw: float | None = None


class Wind:
    """Mean wind and first-order gusts. from_deg as SIM_WIND_DIR: where it comes from."""

    def __init__(self, seed: int) -> None:
        self.speed_m_s, self.from_deg, self.gust_m_s = 0.0, 180.0, 0.0
        self._random = np.random.default_rng([seed, 0x3A])
        self._gust = (0.0, 0.0)

    def step(self, dt: float) -> tuple[float, float]:
        """(north, east) m/s towards which the air moves."""
        towards = math.radians(self.from_deg) + math.pi
        if self.gust_m_s > 0.0:
            keep = math.exp(-dt / GUST_TIME_S)
            spread = self.gust_m_s * math.sqrt(1.0 - keep * keep)
            a, b = self._random.normal(0.0, spread, 2).tolist()
            self._gust = (self._gust[0] * keep + a, self._gust[1] * keep + b)
        else:
            self._gust = (0.0, 0.0)
        return (
            self.speed_m_s * math.cos(towards) + self._gust[0],
            self.speed_m_s * math.sin(towards) + self._gust[1],
        )


@dataclass
class Body:
    """The truth. Angles rad as `Attitude`; acceleration (north, east) is that of the step."""

    north_m: float = 0.0
    east_m: float = 0.0
    up_m: float = 0.0
    north_m_s: float = 0.0
    east_m_s: float = 0.0
    up_m_s: float = 0.0
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    yaw_rate: float = 0.0
    acceleration_m_s2: tuple[float, float] = (0.0, 0.0)
    wind_m_s: tuple[float, float] = (0.0, 0.0)

    @property
    def on_ground(self) -> bool:
        return self.up_m <= 0.0 and self.up_m_s <= 0.0

    def settle(self) -> None:
        """Standing on the ground."""
        self.up_m = max(self.up_m, 0.0)
        self.north_m_s = self.east_m_s = self.up_m_s = self.roll = self.pitch = 0.0
        self.yaw_rate, self.acceleration_m_s2 = 0.0, (0.0, 0.0)

    def move(self, dt: float, velocity: tuple[float, float], up_m_s: float) -> None:
        """On by one step with this velocity at its end; touching down when that is below."""
        before = (self.north_m_s, self.east_m_s)
        self.acceleration_m_s2 = ((velocity[0] - before[0]) / dt, (velocity[1] - before[1]) / dt)
        self.north_m += (before[0] + velocity[0]) / 2 * dt
        self.east_m += (before[1] + velocity[1]) / 2 * dt
        self.up_m += (self.up_m_s + up_m_s) / 2 * dt
        self.north_m_s, self.east_m_s, self.up_m_s = *velocity, up_m_s
        if self.up_m <= 0.0 and up_m_s <= 0.0:
            self.up_m = 0.0
            self.settle()


@dataclass
class Copter:
    """Tilts into the acceleration that its velocity controller wants."""

    body: Body = field(default_factory=Body)
    _integral: tuple[float, float] = (0.0, 0.0)

    def step(
        self,
        dt: float,
        demand: Demand,
        believed_m_s: tuple[float, float],
        wind_m_s: tuple[float, float],
    ) -> None:
        body = self.body
        body.wind_m_s = wind_m_s
        if body.on_ground and demand.climb_m_s <= 0.0:
            self._integral = (0.0, 0.0)
            body.settle()
            return
        want = self._acceleration(dt, demand, believed_m_s)
        keep = math.exp(-dt / ATTITUDE_TIME_S)
        self._turn(dt, demand.yaw)
        forward, right = _turned(want, -body.yaw)
        body.pitch = body.pitch * keep + math.atan(-forward / GRAVITY_M_S2) * (1.0 - keep)
        body.roll = body.roll * keep + math.atan(right / GRAVITY_M_S2) * (1.0 - keep)
        pushed = _turned(
            (-GRAVITY_M_S2 * math.tan(body.pitch), GRAVITY_M_S2 * math.tan(body.roll)), body.yaw
        )
        north = pushed[0] - COPTER_DRAG_1_S * (body.north_m_s - wind_m_s[0])
        east = pushed[1] - COPTER_DRAG_1_S * (body.east_m_s - wind_m_s[1])
        climb = min(max(demand.climb_m_s, -MAX_SINK_M_S), MAX_CLIMB_M_S)
        up = body.up_m_s + (climb - body.up_m_s) * (1.0 - math.exp(-dt / CLIMB_TIME_S))
        body.move(dt, (body.north_m_s + north * dt, body.east_m_s + east * dt), up)

    def _acceleration(
        self, dt: float, demand: Demand, believed_m_s: tuple[float, float]
    ) -> tuple[float, float]:
        if demand.velocity_m_s is None:
            self._integral = (0.0, 0.0)
            return 0.0, 0.0
        error = (
            demand.velocity_m_s[0] - believed_m_s[0],
            demand.velocity_m_s[1] - believed_m_s[1],
        )
        wanted = _limited(
            (VELOCITY_GAIN_1_S * error[0], VELOCITY_GAIN_1_S * error[1]), MAX_ACCELERATION_M_S2
        )
        if math.hypot(*error) < MAX_ACCELERATION_M_S2 / VELOCITY_GAIN_1_S:  # no wind-up
            gain = INTEGRAL_GAIN_1_S2 * dt
            self._integral = _limited(
                (self._integral[0] + error[0] * gain, self._integral[1] + error[1] * gain),
                MAX_INTEGRAL_M_S2,
            )
        # The drag of the believed speed is known beforehand; the integral finds the wind.
        north = wanted[0] + self._integral[0] + COPTER_DRAG_1_S * believed_m_s[0]
        east = wanted[1] + self._integral[1] + COPTER_DRAG_1_S * believed_m_s[1]
        return _limited((north, east), GRAVITY_M_S2 * math.tan(MAX_TILT))

    def _turn(self, dt: float, yaw: float | None) -> None:
        rate = 0.0 if yaw is None else min(max(2.0 * _wrapped(yaw - self.body.yaw), -1), 1)
        self.body.yaw_rate = rate * MAX_YAW_RATE
        self.body.yaw = _wrapped(self.body.yaw + self.body.yaw_rate * dt)


@dataclass
class Plane:
    """Always flies at its air speed; turns by banking towards the course it is asked for."""

    body: Body = field(default_factory=Body)
    _air_speed_m_s: float = 0.0

    def step(
        self,
        dt: float,
        demand: Demand,
        believed_m_s: tuple[float, float],
        wind_m_s: tuple[float, float],
    ) -> None:
        body = self.body
        body.wind_m_s = wind_m_s
        if body.on_ground and demand.climb_m_s <= 0.0:
            self._air_speed_m_s = 0.0
            body.settle()
            return
        self._air_speed_m_s = min(self._air_speed_m_s + TAKE_OFF_M_S2 * dt, AIR_SPEED_M_S)
        keep = math.exp(-dt / ATTITUDE_TIME_S)
        bank = self._bank(demand, believed_m_s) if body.up_m > 5.0 else 0.0
        body.roll = body.roll * keep + bank * (1.0 - keep)
        flying = self._air_speed_m_s >= AIR_SPEED_M_S
        body.yaw_rate = GRAVITY_M_S2 * math.tan(body.roll) / AIR_SPEED_M_S if flying else 0.0
        body.yaw = _wrapped(body.yaw + body.yaw_rate * dt)
        climb = min(max(demand.climb_m_s, -PLANE_CLIMB_M_S), PLANE_CLIMB_M_S) if flying else 0.0
        up = body.up_m_s + (climb - body.up_m_s) * (1.0 - math.exp(-dt / CLIMB_TIME_S))
        body.pitch = TRIM_PITCH + math.asin(min(max(up / AIR_SPEED_M_S, -0.5), 0.5))
        airborne = 1.0 if body.up_m > 0.5 else 0.0  # wheels do not drift
        velocity = (
            self._air_speed_m_s * math.cos(body.yaw) + wind_m_s[0] * airborne,
            self._air_speed_m_s * math.sin(body.yaw) + wind_m_s[1] * airborne,
        )
        body.move(dt, velocity, up)

    def _bank(self, demand: Demand, believed_m_s: tuple[float, float]) -> float:
        if demand.velocity_m_s is None:
            return 0.0
        course = math.atan2(believed_m_s[1], believed_m_s[0])
        wanted = math.atan2(demand.velocity_m_s[1], demand.velocity_m_s[0])
        rate = TURN_GAIN_1_S * _wrapped(wanted - course)
        bank = math.atan(rate * AIR_SPEED_M_S / GRAVITY_M_S2)
        return min(max(bank, -MAX_BANK), MAX_BANK)


Vehicle = Copter | Plane


def _turned(vector: tuple[float, float], by: float) -> tuple[float, float]:
    """(north, east) turned clockwise as seen from above."""
    c, s = math.cos(by), math.sin(by)
    return c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]


def _limited(vector: tuple[float, float], length: float) -> tuple[float, float]:
    have = math.hypot(*vector)
    return vector if have <= length else (vector[0] * length / have, vector[1] * length / have)


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
