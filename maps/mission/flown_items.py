"""Mission items, one after the other, into the ways that they make a vehicle fly.

Commands and parameters: MAVLink common.xml, MAV_CMD; a position of zeros or NaN means the
current one, a height of 0 or NaN the current one, as ArduPilot and PX4 take them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from maps.mission.mission import HeightFrame, Place, Waypoint
from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG, enu_offset_m, offset_latlon

# MAV_CMD
WAYPOINT, LOITER_UNLIMITED, LOITER_TURNS, LOITER_TIME = 16, 17, 18, 19
RETURN, LAND, TAKEOFF, LOITER_TO_HEIGHT, ORBIT, ARC, SPLINE = 20, 21, 22, 31, 34, 36, 82
VTOL_TAKEOFF, VTOL_LAND, PLACE_PAYLOAD, JUMP, SET_HOME, REPOSITION = 84, 85, 94, 177, 179, 192
TAG, JUMP_TO_TAG, FENCE_RETURN, RALLY = 600, 601, 5000, 5100
USER_WAYPOINTS = range(31000, 31005)
RADIUS_AT = {LOITER_UNLIMITED: 3, LOITER_TURNS: 3, LOITER_TIME: 3, LOITER_TO_HEIGHT: 2, ORBIT: 1}
FROM_GROUND, TO_GROUND = {TAKEOFF, VTOL_TAKEOFF}, {LAND, VTOL_LAND, PLACE_PAYLOAD}
FLOWN_TO = {
    WAYPOINT, ARC, SPLINE, REPOSITION, *RADIUS_AT, *FROM_GROUND, *TO_GROUND, *USER_WAYPOINTS
}  # fmt: skip
# MAV_FRAME, with its _INT twins
FRAMES = {
    0: HeightFrame.AMSL, 5: HeightFrame.AMSL, 3: HeightFrame.HOME, 6: HeightFrame.HOME,
    10: HeightFrame.TERRAIN, 11: HeightFrame.TERRAIN,
}  # fmt: skip
LOITER_M = 80.0  # where a plan names no radius: PX4's NAV_LOITER_RAD, ArduPlane's is 60
MAX_HEIGHT_M = 20_000.0
MAX_RADIUS_M = 10_000.0
SPLINE_STEPS = 8  # straight pieces of a curved leg


@dataclass(frozen=True)
class Item:
    """number: what jumps name. params: seven, NaN where left out. where: opens messages."""

    number: int
    command: int
    frame: int
    params: tuple[float, ...]
    where: str


@dataclass(frozen=True)
class Flown:
    ways: tuple[tuple[Waypoint, ...], ...]
    places: tuple[Place, ...]


def fly(items: Sequence[Item], home: Waypoint | None) -> Flown:
    """The first way begins and, after a return, ends at home. Raises InputError naming the
    item: a position off the Earth, a local frame, a jump to nowhere."""
    start = None if home is None else replace(home, height_m=0.0, frame=HeightFrame.HOME)
    way: list[Waypoint] = [] if start is None else [start]
    places: list[Place] = []
    at_number: dict[int, int] = {}  # of an item, where in the way it is or what comes next
    tags: dict[int, int] = {}
    jumps: list[tuple[Item, int]] = []
    curved: list[int] = []
    for item in items:
        at_number.setdefault(item.number, len(way))
        if item.command == TAG:
            tags[int(_given(item, 1))] = item.number
        elif item.command in (JUMP, JUMP_TO_TAG):
            if _given(item, 2) != 0:
                jumps.append((item, len(way) - 1))
        elif item.command == RETURN:
            if start is not None:
                above = replace(way[-1], lat_deg=start.lat_deg, lon_deg=start.lon_deg)
                way += [above, replace(start, where=item.where)]
        elif item.command in (RALLY, FENCE_RETURN, SET_HOME):
            position = _position(item)
            places += [] if position is None else [Place(*position)]
        elif item.command in FLOWN_TO:
            waypoint = _waypoint(item, way[-1] if way else None)
            if waypoint is None:
                continue
            places += _circles(item, waypoint, way[-1] if way else None)
            if item.command == SPLINE and way:
                curved.append(len(way))
            way.append(waypoint)
    legs = [_jump_leg(way, at, item, at_number, tags) for item, at in jumps]
    bent = () if way == [start] else _bent(way, curved)
    return Flown(tuple(w for w in (bent, *legs) if w), tuple(places))


def position_of(lat_deg: float, lon_deg: float, where: str) -> tuple[float, float]:
    """Raises InputError when it is none that a map can hold."""
    if not (abs(lat_deg) <= MAX_LAT_DEG and abs(lon_deg) <= 180.0):
        raise InputError(
            f"{where}: {lat_deg:g}, {lon_deg:g} is no latitude, longitude that a map can hold; "
            "correct it"
        )
    return lat_deg, lon_deg


def height_of(height_m: float, where: str) -> float:
    """Raises InputError when nothing flies there."""
    if not abs(height_m) <= MAX_HEIGHT_M:
        raise InputError(f"{where}: {height_m:g} m is no height to fly at; correct it")
    return height_m


def _position(item: Item) -> tuple[float, float] | None:
    """None: the current one."""
    lat_deg, lon_deg = item.params[4:6]
    if math.isnan(lat_deg) or math.isnan(lon_deg) or (lat_deg == 0.0 and lon_deg == 0.0):
        return None
    return position_of(lat_deg, lon_deg, item.where)


def _waypoint(item: Item, before: Waypoint | None) -> Waypoint | None:
    """None: the current position, which nothing has told."""
    position = _position(item)
    frame = FRAMES.get(item.frame)
    if frame is None and (position is not None or item.command in FROM_GROUND):
        raise InputError(
            f"{item.where}: its position is in frame {item.frame}, which is not on the globe; "
            "plan it in a global frame"
        )
    if position is None:
        if before is None:
            return None
        position = before.lat_deg, before.lon_deg
    frame = frame or HeightFrame.HOME
    landing = item.command in TO_GROUND
    near_ground = landing or item.command in FROM_GROUND
    height_m: float | None = item.params[6]
    assert height_m is not None
    if not math.isnan(height_m):
        height_m = height_of(height_m, item.where)
    if math.isnan(height_m) or height_m == 0.0:
        height_m = None
        if not landing and before is not None:
            height_m, frame = before.height_m, before.frame
    return Waypoint(*position, height_m, frame, item.where, near_ground)


def _circles(item: Item, waypoint: Waypoint, before: Waypoint | None) -> list[Place]:
    """What the vehicle needs beside the straight line to the waypoint."""
    if item.command in RADIUS_AT:
        radius_m = abs(_given(item, RADIUS_AT[item.command])) or LOITER_M
        if not radius_m <= MAX_RADIUS_M:
            raise InputError(
                f"{item.where}: a circle of {radius_m:g} m is larger than "
                f"{MAX_RADIUS_M:g} m; correct it"
            )
        return [Place(waypoint.lat_deg, waypoint.lon_deg, radius_m)]
    if item.command == ARC and before is not None:
        east_m, north_m = _enu(before, waypoint)
        # The angle is parameter 1; the first ArduPilot with arcs took parameter 2.
        angle_deg = max(abs(_given(item, 1)), abs(_given(item, 2)))
        half_m, turn = math.hypot(east_m, north_m) / 2, math.radians(angle_deg) / 2
        if turn > math.pi / 2:
            half_m *= (1 + abs(math.cos(turn))) / max(math.sin(turn), 0.01)
        middle = offset_latlon(before.lat_deg, before.lon_deg, east_m / 2, north_m / 2)
        return [Place(*middle, min(half_m, MAX_RADIUS_M))]
    return []


def _jump_leg(
    way: list[Waypoint], at: int, item: Item, at_number: dict[int, int], tags: dict[int, int]
) -> tuple[Waypoint, ...]:
    target = int(_given(item, 1))
    number = tags.get(target) if item.command == JUMP_TO_TAG else target
    to = None if number is None else at_number.get(number)
    if to is None:
        what = "tag" if item.command == JUMP_TO_TAG else "item"
        raise InputError(f"{item.where}: jumps to {what} {target}, which is not there; correct it")
    if not 0 <= at < len(way) or to >= len(way) or to == at:
        return ()
    return way[at], way[to]


def _bent(way: list[Waypoint], curved: list[int]) -> tuple[Waypoint, ...]:
    """With the legs to splines' waypoints as curves: Catmull-Rom through the neighbours, which
    is what autopilots fly to a few per cent of a leg."""
    out: list[Waypoint] = []
    for i, point in enumerate(way):
        if i in curved and i > 0:
            start = way[i - 1]
            before, after = way[max(i - 2, 0)], way[min(i + 1, len(way) - 1)]
            p0, p2, p3 = (_enu(start, w) for w in (before, point, after))
            for step in range(1, SPLINE_STEPS):
                t = step / SPLINE_STEPS
                east_m, north_m = (_catmull_rom(t, p0[k], 0.0, p2[k], p3[k]) for k in (0, 1))
                height_m = start.height_m
                if start.frame is point.frame and height_m is not None:
                    height_m += ((point.height_m or height_m) - height_m) * t
                lat, lon = offset_latlon(start.lat_deg, start.lon_deg, east_m, north_m)
                out.append(Waypoint(lat, lon, height_m, start.frame, point.where))
        out.append(point)
    return tuple(out)


def _catmull_rom(t: float, p0: float, p1: float, p2: float, p3: float) -> float:
    return 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )


def _enu(a: Waypoint, b: Waypoint) -> tuple[float, float]:
    east_m, north_m = enu_offset_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)
    return float(east_m), float(north_m)


def _given(item: Item, number: int) -> float:
    """A parameter by MAVLink's number, from 1; 0 where left out."""
    value = item.params[number - 1]
    if math.isinf(value):
        raise InputError(f"{item.where}: parameter {number} is infinite; correct it")
    return 0.0 if math.isnan(value) else value
