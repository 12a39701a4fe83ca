"""What a flight plan says of a flight, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from shapely.geometry.base import BaseGeometry


class HeightFrame(Enum):
    """What a plan's height counts from."""

    AMSL = "above mean sea level"
    HOME = "above home"
    TERRAIN = "above the ground below"


@dataclass(frozen=True)
class Waypoint:
    """height_m: None where the plan names none, and where it lands. near_ground: take-off or
    landing, to and from which the vehicle climbs and descends. where: for messages."""

    lat_deg: float
    lon_deg: float
    height_m: float | None
    frame: HeightFrame
    where: str
    near_ground: bool = False


@dataclass(frozen=True)
class Place:
    """Somewhere the flight may be besides its ways: home, a rally point, a loiter's circle."""

    lat_deg: float
    lon_deg: float
    radius_m: float = 0.0


@dataclass(frozen=True)
class Mission:
    """name: of the file. ways: flown in straight lines, the first from take-off to landing, the
    others what jumps add. areas: surveyed, and fence: where the vehicle may be, both polygons in
    WGS84 longitude, latitude. home: on the ground, its height above mean sea level or None."""

    name: str
    home: Waypoint | None
    ways: tuple[tuple[Waypoint, ...], ...]
    places: tuple[Place, ...] = ()
    areas: tuple[BaseGeometry, ...] = ()
    fence: tuple[BaseGeometry, ...] = ()

    @property
    def route(self) -> tuple[tuple[float, float], ...]:
        """(lat_deg, lon_deg) of the main way, without standing still."""
        points = [(w.lat_deg, w.lon_deg) for way in self.ways[:1] for w in way]
        return tuple(p for i, p in enumerate(points) if i == 0 or p != points[i - 1])
