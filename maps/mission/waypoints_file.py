"""ArduPilot's `.waypoints`: the text format 'QGC WPL 110', which Mission Planner and MAVProxy
save (https://mavlink.io/en/file_formats/#mission_plain_text_file)."""

from __future__ import annotations

import math
from pathlib import Path

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from maps.mission.flown_items import Item, fly, height_of, position_of
from maps.mission.mission import HeightFrame, Mission, Place, Waypoint
from maps.widened import circle
from onboard.errors import InputError

HEADER = "QGC WPL"
VERSIONS = ("110", "120")  # 120 writes positions in more digits
FIELDS = 12
FENCE_INCLUDES = 5001  # a polygon's vertex; parameter 1: how many it has
CIRCLE_INCLUDES = 5003  # parameter 1: radius
NO_HOME = range(5000, 5101)  # MAV_CMD of fences and rally points


def read_waypoints(path: Path, text: str) -> Mission:
    """Raises InputError naming the line."""
    every = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    lines = [(n, line) for n, line in every if line and not line.startswith("#")]
    header = lines[0][1].split() if lines else []
    if header[:2] != HEADER.split() or header[2:] not in [[v] for v in VERSIONS]:
        raise InputError(
            f"{path}: does not begin with '{HEADER} {VERSIONS[0]}'; save the mission as "
            ".waypoints again"
        )
    items = [_item(path, number, line) for number, line in lines[1:]]
    if not items:
        raise InputError(f"{path}: holds no item at all; plan a mission and save it again")
    first, *rest = items
    if first.command in NO_HOME:  # a fence or rally points in a file of their own
        home, rest = None, items
    else:
        home = _home(first)
    flown = fly(rest, home)
    places = () if home is None else (Place(home.lat_deg, home.lon_deg),)
    return Mission(path.name, home, flown.ways, (*places, *flown.places), fence=tuple(_fence(rest)))


def _item(path: Path, line: int, text: str) -> Item:
    where = f"{path}: line {line}"
    fields = text.split()
    if len(fields) != FIELDS:
        raise InputError(
            f"{where}: has {len(fields)} fields instead of {FIELDS}; save the mission again"
        )
    try:
        number, _, frame, command = (int(float(f)) for f in fields[:4])
        params = tuple(float(f) for f in fields[4:11])
    except (ValueError, OverflowError) as e:
        raise InputError(f"{where}: holds a field that is no number; correct it") from e
    return Item(number, command, frame, params, where)


def _home(item: Item) -> Waypoint | None:
    """Line 0 is home, whatever its command and frame; zeros where it was not known."""
    lat_deg, lon_deg, height_m = item.params[4:7]
    if not any((lat_deg, lon_deg)) or math.isnan(lat_deg) or math.isnan(lon_deg):
        return None
    position = position_of(lat_deg, lon_deg, item.where)
    known = None if math.isnan(height_m) else height_of(height_m, item.where)
    return Waypoint(*position, known, HeightFrame.AMSL, "home", near_ground=True)


def _fence(items: list[Item]) -> list[BaseGeometry]:
    found: list[BaseGeometry] = []
    ring: list[tuple[float, float]] = []
    for item in items:
        if item.command == CIRCLE_INCLUDES:
            lat, lon = position_of(item.params[4], item.params[5], item.where)
            found.append(circle(lat, lon, item.params[0], item.where))
        elif item.command == FENCE_INCLUDES:
            lat, lon = position_of(item.params[4], item.params[5], item.where)
            ring.append((lon, lat))
            if len(ring) >= item.params[0]:
                if len(ring) < 3:
                    raise InputError(f"{item.where}: a fence of {len(ring)} corners; correct it")
                found.append(Polygon(ring))
                ring = []
    return found
