"""The items of a QGroundControl plan, simple and complex, as what they fly and survey."""

from __future__ import annotations

import math
from typing import Any

from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from maps.mission.flown_items import Item
from maps.mission.plan_json import PlanJson
from maps.widened import circle, widened

WAYPOINT, LAND = 16, 21  # MAV_CMD
AMSL, HOME, TERRAIN = 0, 3, 10  # MAV_FRAME
# QGroundControl's altitude modes: relative, absolute, calculated above terrain, terrain frame.
FRAME_OF_MODE = {1: HOME, 2: AMSL, 3: TERRAIN, 4: TERRAIN}
MAX_DEPTH = 8  # of items within items: surveys hold simple ones
MAX_ITEMS = 100_000


class PlanItems:
    """flown: one after the other; areas: surveyed, WGS84 longitude, latitude."""

    def __init__(self, json: PlanJson) -> None:
        self._json = json
        self.flown: list[Item] = []
        self.areas: list[BaseGeometry] = []

    def read(self, items: list[Any], depth: int = 0) -> None:
        """Raises InputError naming the item, counted from 1 as QGroundControl does."""
        for entry in items:
            where = f"item {len(self.flown) + 1}"
            if depth > MAX_DEPTH or len(self.flown) >= MAX_ITEMS:
                raise self._json.wrong(where, " and on: more than any autopilot takes")
            item = self._json.table(entry, where)
            kind = item.get("type", "SimpleItem")
            if kind in ("SimpleItem", "missionItem"):
                self.flown.append(self._simple(item, where))
            elif kind == "ComplexItem":
                self._complex(item, where, depth)
            else:
                raise self._json.wrong(
                    where, f" is of type {str(kind)[:40]!r}, which no QGroundControl writes"
                )

    def _simple(self, item: dict[str, Any], where: str) -> Item:
        json = self._json
        command = json.whole(item.get("command"), f"{where}: command")
        frame = json.whole(item.get("frame", HOME), f"{where}: frame")
        number = json.whole(item.get("doJumpId", len(self.flown) + 1), f"{where}: doJumpId")
        given = item.get("params")
        if given is None:  # of a plan's version 1
            coordinate = json.entries(item.get("coordinate", []), f"{where}: coordinate")
            given = [*(item.get(f"param{i}") for i in range(1, 5)), *coordinate]
        params = tuple(json.number(p, where) for p in json.entries(given, f"{where}: params"))
        if len(params) != 7:
            raise json.wrong(where, f": has {len(params)} params instead of 7; save it again")
        return Item(number, command, frame, params, f"{json.path}: {where}")

    def _complex(self, item: dict[str, Any], where: str, depth: int) -> None:
        kind = str(item.get("complexItemType", "")).lower()
        if kind in ("survey", "corridorscan"):
            self._transects(item, where, depth)
        elif kind == "structurescan":
            self._structure(item, where)
        elif kind in ("fwlandingpattern", "vtollandingpattern"):
            self._landing(item, where)
        else:
            raise self._json.wrong(
                where,
                f" is a {str(item.get('complexItemType'))[:40]!r}, which Pilotage does not know; "
                "give the area with --area and the heights with --agl-m",
            )

    def _transects(self, item: dict[str, Any], where: str, depth: int) -> None:
        json = self._json
        before = len(self.flown)
        nested = json.table(item.get("TransectStyleComplexItem", {}), where)
        if "polygon" in item:
            self.areas.append(Polygon(json.line(item["polygon"], where, 3)))
        if "polyline" in item:
            line = LineString(json.line(item["polyline"], where, 2))
            wide_m = json.number(item.get("CorridorWidth", 0.0), f"{where}: CorridorWidth")
            if wide_m > 0:
                self.areas.append(widened(line, wide_m / 2, f"{json.path}: {where}"))
        self.read(json.entries(nested.get("Items") or [], f"{where}: Items"), depth + 1)
        if len(self.flown) > before:
            return
        # An older plan holds the points that were shown, not the items.
        points = nested.get("VisualTransectPoints") or item.get("polyline") or item.get("polygon")
        height_m, frame = self._survey_height(nested.get("CameraCalc", {}), where)
        for lon_deg, lat_deg in json.line(points, where, 1):
            self._add(where, lat_deg, lon_deg, height_m, frame)

    def _survey_height(self, calc: Any, where: str) -> tuple[float, int]:
        calc = self._json.table(calc, f"{where}: CameraCalc")
        height_m = self._json.number(calc.get("DistanceToSurface"), f"{where}: DistanceToSurface")
        mode = self._json.number(calc.get("DistanceMode"), f"{where}: DistanceMode")
        if math.isnan(mode):
            frame = HOME if calc.get("DistanceToSurfaceRelative", True) else AMSL
        else:
            frame = FRAME_OF_MODE.get(int(mode), -1) if math.isfinite(mode) else -1
        if not math.isfinite(height_m) or frame < 0:
            raise self._json.wrong(
                where, ": names no height; open the plan in QGroundControl and save it again"
            )
        return height_m, frame

    def _structure(self, item: dict[str, Any], where: str) -> None:
        """Flown around, at a distance, from the entrance's height to the structure's."""
        json = self._json
        ring = json.line(item.get("polygon"), where, 3)
        calc = json.table(item.get("CameraCalc", {}), f"{where}: CameraCalc")
        away_m = json.number(calc.get("DistanceToSurface", 0.0), f"{where}: DistanceToSurface")
        around = widened(Polygon(ring), max(away_m, 1.0), f"{json.path}: {where}")
        self.areas.append(around)
        heights = [
            json.number(item[key], f"{where}: {key}")
            for key in ("EntranceAltitude", "Altitude", "ScanBottomAlt", "StructureHeight")
            if item.get(key) is not None
        ]
        if not heights:
            raise json.wrong(where, ": names no height; set its entrance altitude")
        frame = HOME if item.get("altitudeRelative", True) else AMSL
        for height_m in sorted({heights[0], max(heights)}):
            for lon_deg, lat_deg in _outline(around):
                self._add(where, lat_deg, lon_deg, height_m, frame)

    def _landing(self, item: dict[str, Any], where: str) -> None:
        """Down from a loiter, then straight to where it lands."""
        json = self._json
        frame = HOME if item.get("altitudesAreRelative", True) else AMSL
        approach = item.get("landingApproachCoordinate", item.get("loiterCoordinate"))
        start = json.coordinate(approach, f"{where}: landing approach")
        self._add(where, *start, frame)
        radius_m = json.number(item.get("loiterRadius", 0.0), f"{where}: loiterRadius")
        if radius_m > 0:
            self.areas.append(circle(*start[:2], radius_m, f"{json.path}: {where}"))
        end = json.coordinate(item.get("landCoordinate"), f"{where}: landCoordinate")
        self._add(where, *end, frame, LAND)

    def _add(
        self,
        where: str,
        lat_deg: float,
        lon_deg: float,
        height_m: float,
        frame: int,
        command: int = WAYPOINT,
    ) -> None:
        params = (*(math.nan,) * 4, lat_deg, lon_deg, height_m)
        number = len(self.flown) + 1
        self.flown.append(Item(number, command, frame, params, f"{self._json.path}: {where}"))


def _outline(area: BaseGeometry) -> list[tuple[float, float]]:
    """(longitude, latitude) of a shape's outline."""
    return [(float(x), float(y)) for x, y in area.convex_hull.exterior.coords]
