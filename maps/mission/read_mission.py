"""Opens a mission file by its ending."""

from __future__ import annotations

from pathlib import Path

from shapely import get_coordinates
from shapely.geometry.base import BaseGeometry

from maps.drawing import SUFFIXES as DRAWN
from maps.drawing import read_drawing
from maps.mission.mission import HeightFrame, Mission, Place, Waypoint
from maps.mission.plan_file import read_plan
from maps.mission.waypoints_file import read_waypoints
from onboard.errors import InputError

MAX_BYTES = 64 << 20  # a plan of 10,000 items is some 4 MB


def read_mission(path: Path) -> Mission:
    """QGroundControl's .plan, ArduPilot's .waypoints (or .txt), or lines drawn in GeoJSON or
    KML, whose heights nobody knows. Raises InputError naming the item or line."""
    kind = path.suffix.lower()
    if kind in DRAWN:
        return _drawn(path.name, read_drawing(path))
    if kind not in (".plan", ".waypoints", ".txt"):
        raise InputError(
            f"{path}: is no mission that Pilotage reads; give a QGroundControl .plan, an "
            "ArduPilot .waypoints, a .geojson or a .kml"
        )
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than any mission; give the mission's file")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read ({e}); give an existing mission") from e
    return read_plan(path, text) if kind == ".plan" else read_waypoints(path, text)


def _drawn(name: str, shapes: list[BaseGeometry]) -> Mission:
    lines = [g for g in shapes if g.geom_type in ("LineString", "LinearRing")]
    points = [g for g in shapes if g.geom_type == "Point"]
    ways = tuple(
        tuple(
            Waypoint(lat, lon, None, HeightFrame.HOME, f"point {i} of line {number}")
            for i, (lon, lat) in enumerate(get_coordinates(line).tolist(), 1)
        )
        for number, line in enumerate(lines, 1)
    )
    return Mission(
        name,
        None,
        ways,
        tuple(Place(p.y, p.x) for p in points),
        tuple(g for g in shapes if g.geom_type == "Polygon"),
    )
