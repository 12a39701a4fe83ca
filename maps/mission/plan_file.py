"""QGroundControl's `.plan`: a mission, a fence and rally points in JSON
(https://docs.qgroundcontrol.com/master/en/qgc-dev-guide/file_formats/plan.html)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from maps.mission.flown_items import fly, height_of
from maps.mission.mission import HeightFrame, Mission, Place, Waypoint
from maps.mission.plan_items import PlanItems
from maps.mission.plan_json import PlanJson
from maps.widened import circle
from onboard.errors import InputError


def read_plan(path: Path, text: str) -> Mission:
    """Raises InputError naming the item."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: not valid JSON ({e}); save the plan again") from e
    reader = PlanJson(path)
    if reader.table(plan, "the whole").get("fileType") != "Plan":
        raise InputError(
            f"{path}: is no QGroundControl plan (fileType is not 'Plan'); save the mission as one"
        )
    mission = reader.table(plan.get("mission", {}), "mission")
    home = _home(mission, reader)
    items = PlanItems(reader)
    items.read(reader.entries(mission.get("items", []), "mission: items"))
    flown = fly(items.flown, home)
    fence, back = _fence(reader.table(plan.get("geoFence", {}), "geoFence"), reader)
    rally = reader.table(plan.get("rallyPoints", {}), "rallyPoints")
    places = [] if home is None else [Place(home.lat_deg, home.lon_deg)]
    for number, point in enumerate(reader.entries(rally.get("points", []), "rallyPoints"), 1):
        places.append(Place(*reader.coordinate(point, f"rally point {number}")[:2]))
    return Mission(
        path.name,
        home,
        flown.ways,
        (*places, *flown.places, *back),
        tuple(items.areas),
        tuple(fence),
    )


def _home(mission: dict[str, Any], reader: PlanJson) -> Waypoint | None:
    given = mission.get("plannedHomePosition")
    if isinstance(given, dict):  # of version 1: an item with a coordinate
        given = given.get("coordinate")
    if given is None:
        return None
    lat_deg, lon_deg, height_m = reader.coordinate(given, "plannedHomePosition")
    if lat_deg == 0.0 and lon_deg == 0.0:
        return None
    known = None
    if not math.isnan(height_m):
        known = height_of(height_m, f"{reader.path}: plannedHomePosition")
    return Waypoint(lat_deg, lon_deg, known, HeightFrame.AMSL, "home", near_ground=True)


def _fence(table: dict[str, Any], reader: PlanJson) -> tuple[list[BaseGeometry], list[Place]]:
    """What it includes, and where a vehicle returns to that breaks it."""
    found: list[BaseGeometry] = []
    for number, entry in enumerate(reader.entries(table.get("polygons", []), "geoFence"), 1):
        where = f"fence polygon {number}"
        polygon = reader.table(entry, where)
        ring = reader.line(polygon.get("polygon"), where, 3)
        if polygon.get("inclusion", True):
            found.append(Polygon(ring))
    for number, entry in enumerate(reader.entries(table.get("circles", []), "geoFence"), 1):
        where = f"fence circle {number}"
        outer = reader.table(entry, where)
        inner = reader.table(outer.get("circle"), where)
        lat_deg, lon_deg, _ = reader.coordinate(inner.get("center"), where)
        radius_m = reader.number(inner.get("radius"), f"{where}: radius")
        if outer.get("inclusion", True):
            found.append(circle(lat_deg, lon_deg, radius_m, f"{reader.path}: {where}"))
    back = table.get("breachReturn")
    if back is None:
        return found, []
    return found, [Place(*reader.coordinate(back, "breachReturn")[:2])]
