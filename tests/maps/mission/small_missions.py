"""Missions as QGroundControl and ArduPilot's ground stations write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOME = (47.0, 8.0, 450.0)
NORTH_M = 111_170.0  # of a degree of latitude there
EAST_M = 76_060.0  # of longitude

WAYPOINT, LOITER_TURNS, RETURN, LAND, TAKEOFF, JUMP, ROI = 16, 18, 20, 21, 22, 177, 201
AMSL, MISSION, RELATIVE, TERRAIN = 0, 2, 3, 10


def at(north_m: float, east_m: float) -> tuple[float, float]:
    """(lat_deg, lon_deg) from home."""
    return HOME[0] + north_m / NORTH_M, HOME[1] + east_m / EAST_M


def item(
    number: int,
    command: int = WAYPOINT,
    frame: int = RELATIVE,
    position: tuple[Any, ...] = (None, None, None),
    params: tuple[Any, ...] = (0, 0, 0, None),
) -> dict[str, Any]:
    return {
        "AMSLAltAboveTerrain": None,
        "Altitude": position[2],
        "AltitudeMode": 1,
        "autoContinue": True,
        "command": command,
        "doJumpId": number,
        "frame": frame,
        "params": [*params, *position],
        "type": "SimpleItem",
    }


def plan(items: list[Any], **parts: Any) -> dict[str, Any]:
    mission = {
        "cruiseSpeed": 15,
        "firmwareType": 12,
        "globalPlanAltitudeMode": 1,
        "hoverSpeed": 5,
        "items": items,
        "plannedHomePosition": list(HOME),
        "vehicleType": 2,
        "version": 2,
    }
    return {
        "fileType": "Plan",
        "geoFence": {"circles": [], "polygons": [], "version": 2},
        "groundStation": "QGroundControl",
        "mission": mission,
        "rallyPoints": {"points": [], "version": 2},
        "version": 1,
        **parts,
    }


def survey(items: list[Any], **parts: Any) -> dict[str, Any]:
    corners = [at(0, 0), at(0, 600), at(400, 600), at(400, 0)]
    return {
        "TransectStyleComplexItem": {
            "CameraCalc": {"DistanceToSurface": 80, "DistanceMode": 1, "version": 2},
            "Items": items,
            "VisualTransectPoints": [list(at(20, -10)), list(at(20, 610))],
            "version": 2,
        },
        "angle": 0,
        "complexItemType": "survey",
        "polygon": [list(c) for c in corners],
        "type": "ComplexItem",
        "version": 5,
        **parts,
    }


def write_plan(folder: Path, document: Any) -> Path:
    path = folder / "a.plan"
    path.write_text(json.dumps(document))
    return path


def line(number: int, command: int, frame: int, params: tuple[float, ...]) -> str:
    """One of a .waypoints file; params: seven."""
    numbers = "\t".join(f"{p:.8f}" for p in params)
    return f"{number}\t{int(number == 0)}\t{frame}\t{command}\t{numbers}\t1"


def write_waypoints(folder: Path, lines: list[str], home: tuple[float, ...] = HOME) -> Path:
    path = folder / "a.waypoints"
    first = line(0, WAYPOINT, AMSL, (0, 0, 0, 0, *home))
    path.write_text("\n".join(["QGC WPL 110", first, *lines, ""]))
    return path
