"""The mission that was uploaded, item by item, and how far it has been flown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import enu_offset_m

Place = tuple[float, float, float]  # north, east, up of home
RELATIVE = (mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT)
MOST_JUMPS = 100  # in a row: a plan of nothing but jumps ends


class Step(Enum):
    TAKE_OFF = "take off"
    FLY = "fly"
    LAND = "land"
    RETURN = "return"


@dataclass(frozen=True)
class Item:
    """What is done now. place None: where the vehicle is."""

    number: int
    kind: Step
    place: Place | None = None
    height_m: float = 0.0
    hold_s: float = 0.0
    for_ever: bool = False
    speed_m_s: float | None = None


@dataclass(frozen=True)
class Leg:
    """The way to an item from where it began."""

    number: int
    start: Place
    end: Place

    def passed(self, at: Place) -> bool:
        """Beyond the line through the end, across the leg."""
        north, east = self.end[0] - self.start[0], self.end[1] - self.start[1]
        if math.hypot(north, east) < 1.0:
            return False
        return (at[0] - self.end[0]) * north + (at[1] - self.end[1]) * east > 0.0

    def cross_track(self, at: Place) -> tuple[float, float]:
        """(north, east) from here to the nearest point of the line."""
        north, east = self.end[0] - self.start[0], self.end[1] - self.start[1]
        length = math.hypot(north, east)
        if length < 1.0:
            return 0.0, 0.0
        n, e = self.end[0] - at[0], self.end[1] - at[1]
        along = (n * north + e * east) / length
        return n - along * north / length, e - along * east / length


class MissionPlan:
    """Item 0 is home, as ArduPilot counts."""

    def __init__(self, home: tuple[float, float, float]) -> None:
        self._home = home  # lat_deg, lon_deg, amsl_m
        self.items: list[Any] = []  # MISSION_ITEM_INT (#73)
        self.number = 0
        self._jumps: dict[int, int] = {}

    @property
    def is_last(self) -> bool:
        return self.number >= len(self.items) - 1

    def load(self, items: list[Any]) -> None:
        self.items, self._jumps, self.number = items, {}, 0

    def resume(self) -> None:
        if self.number == 0 or self.number >= len(self.items):
            self.number, self._jumps = min(1, len(self.items)), {}

    def go_to(self, number: int) -> bool:
        if not 0 <= number < len(self.items):
            return False
        self.number = max(number, 1)
        return True

    def advance(self) -> None:
        self.number += 1

    def current(self) -> Item | None:
        """None behind the end. Jumps are made, what is not flown is passed over."""
        for _ in range(MOST_JUMPS + len(self.items)):
            if not 0 < self.number < len(self.items):
                return None
            item = self.items[self.number]
            if item.command == mavlink.MAV_CMD_DO_JUMP:
                self._jump(item)
            elif (found := self._flown(item)) is not None:
                return found
            else:
                self.number += 1
        return None

    def _jump(self, item: Any) -> None:
        done, wanted = self._jumps.get(self.number, 0), round(item.param2)
        if (wanted < 0 or done < wanted) and 0 < round(item.param1) < len(self.items):
            self._jumps[self.number] = done + 1
            self.number = round(item.param1)
        else:
            self.number += 1

    def _flown(self, item: Any) -> Item | None:
        number, command = self.number, item.command
        place = self.place_of(item.frame, item.x, item.y, item.z)
        if command == mavlink.MAV_CMD_NAV_TAKEOFF:
            return Item(number, Step.TAKE_OFF, None, place[2])
        if command == mavlink.MAV_CMD_NAV_WAYPOINT:
            return Item(number, Step.FLY, place, place[2], hold_s=item.param1)
        if command == mavlink.MAV_CMD_NAV_LOITER_UNLIM:
            return Item(number, Step.FLY, place, place[2], for_ever=True)
        if command == mavlink.MAV_CMD_NAV_LOITER_TIME:
            return Item(number, Step.FLY, place, place[2], hold_s=item.param1)
        if command == mavlink.MAV_CMD_NAV_LAND:
            return Item(number, Step.LAND, place if item.x or item.y else None)
        if command == mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH:
            return Item(number, Step.RETURN)
        if command == mavlink.MAV_CMD_DO_CHANGE_SPEED and item.param2 > 0:
            return Item(number, Step.FLY, speed_m_s=float(item.param2))
        return None

    def place_of(self, frame: int, lat_e7: int, lon_e7: int, height_m: float) -> Place:
        """Of a MISSION_ITEM_INT or SET_POSITION_TARGET_GLOBAL_INT."""
        up = height_m if frame in RELATIVE else height_m - self._home[2]
        if lat_e7 == 0 and lon_e7 == 0:
            return 0.0, 0.0, up
        east, north = enu_offset_m(self._home[0], self._home[1], lat_e7 * 1e-7, lon_e7 * 1e-7)
        return float(north), float(east), up
