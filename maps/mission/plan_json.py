"""Reads values out of a plan's JSON, each wrong one with a sentence that names its place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from maps.mission.flown_items import position_of
from onboard.errors import InputError


class PlanJson:
    """where: 'item 3' or 'rally point 1', for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wrong(self, where: str, what: str) -> InputError:
        return InputError(f"{self.path}: {where}{what}")

    def table(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(where, " is no table; save the plan again")
        return value

    def entries(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.wrong(where, " is no list; save the plan again")
        return value

    def number(self, value: Any, where: str) -> float:
        """NaN for null."""
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(where, f": {str(value)[:40]!r} is no number; correct it")
        try:
            return float(value)
        except OverflowError as e:
            raise self.wrong(where, ": has more digits than a number can; correct it") from e

    def whole(self, value: Any, where: str) -> int:
        number = self.number(value, where)
        if not math.isfinite(number) or number != int(number):
            raise self.wrong(where, f" is {str(value)[:40]!r}, no whole number; correct it")
        return int(number)

    def coordinate(self, value: Any, where: str) -> tuple[float, float, float]:
        """Latitude, longitude, and height or NaN."""
        numbers = [self.number(v, where) for v in self.entries(value, f"{where}: its position")]
        if not 2 <= len(numbers) <= 3:
            raise self.wrong(where, ": holds no latitude, longitude; save the plan again")
        lat_deg, lon_deg = position_of(numbers[0], numbers[1], f"{self.path}: {where}")
        return lat_deg, lon_deg, numbers[2] if len(numbers) > 2 else math.nan

    def line(self, value: Any, where: str, least: int) -> list[tuple[float, float]]:
        """(longitude, latitude) of each point, at least so many."""
        found = [self.coordinate(p, where) for p in self.entries(value, f"{where}: its corners")]
        if len(found) < least:
            raise self.wrong(where, f": has {len(found)} corners; draw it again")
        return [(lon, lat) for lat, lon, _ in found]
