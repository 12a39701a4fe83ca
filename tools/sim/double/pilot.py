"""Flies modes and missions on what the autopilot believes: the demand for every step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tools.sim.double.flight_modes import Flying
from tools.sim.double.mission_plan import Leg, MissionPlan, Step
from tools.sim.vehicles import Demand

POSITION_GAIN_1_S = 0.5
SLOWING_M_S2 = 1.0  # before a place to stop at
CORNER_M_S = 3.0  # a copter passes its waypoints no faster, to keep to its line
HEIGHT_GAIN_1_S = 0.8
CROSS_TRACK_GAIN_1_S = 0.3
LAND_M_S, LAND_SLOWLY_BELOW_M = 1.5, 10.0
TOUCH_DOWN_M_S = 0.5
FACE_M = 3.0  # a copter turns its nose to what is farther away
TAKEN_OFF_M = 1.0
HELD_UNTIL_NS = 3_000_000_000  # GUID_TIMEOUT: a velocity is flown no longer than this

Place = tuple[float, float, float]  # north, east, up of home


@dataclass
class Pilot:
    """plane: circles where a copter stands. reached: the mission item just reached, if any."""

    plane: bool
    plan: MissionPlan
    speed_m_s: float = 10.0
    arrival_m: float = 2.0
    circle_m: float = 80.0
    return_height_m: float = 15.0
    flying: Flying = Flying.LEVEL
    take_off_m: float | None = None
    reached: int | None = None
    _target: Place | None = None
    _velocity: tuple[int, float, float, float] | None = None  # since ns; north, east, up
    _climbed: bool = False
    _arrived_ns: int = 0
    _leg: Leg | None = field(default=None)

    def enter(self, flying: Flying, at: Place) -> None:
        """A mode begins here."""
        self.flying, self._target, self._velocity = flying, at, None
        self._climbed, self._leg = False, None
        if flying is not Flying.GUIDED:
            self.take_off_m = None
        if flying is Flying.MISSION:
            self.plan.resume()

    def fly_to(self, target: Place) -> None:
        """In GUIDED."""
        self._target, self._velocity, self.take_off_m = target, None, None

    def fly_at(self, now_ns: int, north_m_s: float, east_m_s: float, up_m_s: float) -> None:
        """In GUIDED."""
        self._velocity = (now_ns, north_m_s, east_m_s, up_m_s)

    def moved(self, by: tuple[float, float]) -> None:
        """The estimate was reset: who holds a place holds the one he is at, as ArduCopter."""
        if self._target is not None and self.flying is Flying.HOLD:
            n, e, u = self._target
            self._target = (n + by[0], e + by[1], u)

    def demand(self, now_ns: int, at: Place, on_ground: bool) -> Demand:
        self.reached = None
        if self.flying is Flying.LEVEL:
            return Demand(None, 0.0)
        if self.flying is Flying.LAND:
            return self._sink(None, at)
        if self.flying is Flying.RETURN:
            return self._return(at)
        if self.flying is Flying.MISSION:
            return self._mission(now_ns, at)
        if self.flying is Flying.GUIDED:
            return self._guided(now_ns, at, on_ground)
        return self._to(self._target or at, at, stop=True)

    def _guided(self, now_ns: int, at: Place, on_ground: bool) -> Demand:
        if self.take_off_m is not None:
            start = self._target or at
            self._target = (start[0], start[1], self.take_off_m)
            if at[2] > self.take_off_m - TAKEN_OFF_M:
                self.take_off_m = None
        elif on_ground:
            return Demand(None, 0.0)
        if self._velocity is not None:
            since, north, east, up = self._velocity
            if now_ns - since < HELD_UNTIL_NS:
                self._target = at
                return Demand((north, east), up)
            self._velocity = None
        return self._to(self._target or at, at, stop=True)

    def _mission(self, now_ns: int, at: Place) -> Demand:
        step = self.plan.current()
        if step is None:
            return self._to(self._target or at, at, stop=True)
        if step.speed_m_s is not None:
            self.speed_m_s = step.speed_m_s
            self.plan.advance()
            return self._mission(now_ns, at)
        if step.kind is Step.RETURN:
            return self._return(at)
        if step.kind is Step.LAND:
            return self._sink(step.place, at)
        target = step.place or (at[0], at[1], step.height_m)
        if step.kind is Step.TAKE_OFF:
            start = self._leg.start if self._leg and self._leg.number == step.number else at
            target = (start[0], start[1], step.height_m)
        if self._leg is None or self._leg.number != step.number:
            self._leg, self._arrived_ns = Leg(step.number, at, target), 0
        self._target = target
        off = math.hypot(target[0] - at[0], target[1] - at[1])
        near = off < self.arrival_m or self._leg.passed(at)
        if step.kind is Step.TAKE_OFF:
            near = at[2] > target[2] - TAKEN_OFF_M
        if near and not step.for_ever:
            self._arrived_ns = self._arrived_ns or now_ns
            if now_ns - self._arrived_ns >= step.hold_s * 1e9:
                self.reached = step.number
                self.plan.advance()
        stop = step.for_ever or step.hold_s > 0.0 or self.plan.is_last
        return self._to(target, at, stop=stop)

    def _return(self, at: Place) -> Demand:
        height = max(self.return_height_m, at[2]) if not self._climbed else at[2]
        if not self._climbed and at[2] < self.return_height_m - TAKEN_OFF_M:
            if not self.plane:
                return self._to((at[0], at[1], height), at, stop=True)
        else:
            self._climbed = True
        if self.plane:
            return self._to((0.0, 0.0, self.return_height_m), at, stop=True)
        if math.hypot(at[0], at[1]) < self.arrival_m:
            return self._sink((0.0, 0.0, 0.0), at)
        self._target = (0.0, 0.0, self._target[2] if self._target else at[2])
        return self._to((0.0, 0.0, max(self.return_height_m, self._target[2])), at, stop=True)

    def _sink(self, place: Place | None, at: Place) -> Demand:
        """Down; over a place, or where it drifts. A plane keeps its course."""
        sink = -TOUCH_DOWN_M_S if at[2] < LAND_SLOWLY_BELOW_M else -LAND_M_S
        here = self._target or at
        over = place or here
        return Demand(self._towards((over[0], over[1], at[2]), at, stop=True), sink)

    def _to(self, target: Place, at: Place, stop: bool) -> Demand:
        climb = HEIGHT_GAIN_1_S * (target[2] - at[2])
        off = (target[0] - at[0], target[1] - at[1])
        yaw = math.atan2(off[1], off[0]) if math.hypot(*off) > FACE_M else None
        return Demand(self._towards(target, at, stop), climb, yaw)

    def _towards(self, target: Place, at: Place, stop: bool) -> tuple[float, float]:
        north, east = target[0] - at[0], target[1] - at[1]
        distance = math.hypot(north, east)
        if self.plane and stop and distance < 2 * self.circle_m:
            return _circling(north, east, self.circle_m, self.speed_m_s)
        if distance < 1e-6:
            return 0.0, 0.0
        speed = self.speed_m_s
        if not self.plane:
            speed = min(speed, math.sqrt(CORNER_M_S**2 + 2 * SLOWING_M_S2 * distance))
        if stop:
            speed = min(speed, POSITION_GAIN_1_S * distance, math.sqrt(2 * SLOWING_M_S2 * distance))
        velocity = (north / distance * speed, east / distance * speed)
        if self._leg is not None and self.flying is Flying.MISSION:
            side = self._leg.cross_track(at)
            velocity = (
                velocity[0] + CROSS_TRACK_GAIN_1_S * side[0],
                velocity[1] + CROSS_TRACK_GAIN_1_S * side[1],
            )
            fast = math.hypot(*velocity) / max(speed, 1e-6)
            if fast > 1.0:
                velocity = (velocity[0] / fast, velocity[1] / fast)
        return velocity


def _circling(north: float, east: float, radius_m: float, speed: float) -> tuple[float, float]:
    """Clockwise around the point that lies there."""
    distance = max(math.hypot(north, east), 1.0)
    inwards = max(min((distance - radius_m) / radius_m, 1.0), -1.0)
    along = math.sqrt(max(1.0 - inwards * inwards, 0.0))
    un, ue = north / distance, east / distance
    return (un * inwards + ue * along) * speed, (ue * inwards - un * along) * speed
