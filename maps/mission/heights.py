"""How high above the ground a mission flies, along its ways."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maps.mission.mission import HeightFrame, Mission, Waypoint
from onboard.errors import InputError
from onboard.geodesy import distance_m, enu_offset_m, offset_latlon
from onboard.ground.view_depths import MIN_AGL_M

STEP_M = 30.0  # along a leg, where the ground is looked up: a post of most elevation models
MOST_STEPS = 4000  # a long mission is looked at in longer steps
# Climbs and descents are flown from here up by sight of the map: below, a picture shows less
# ground than a tile of imagery that most places have (0.3 m/px, 77 m).
CLIMB_AGL_M = 30.0

Floats = NDArray[np.float64]


class Ground(Protocol):
    """`maps.terrain.Dem`, for one."""

    files: tuple[Path, ...]

    def heights_at_m(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        """Above mean sea level, NaN where unknown."""


@dataclass(frozen=True)
class RouteHeights:
    """Along all ways. lowest_agl_m: from where on the map is needed; highest_agl_m. flat: no
    elevation model was there, the ground was taken as flat at home's height."""

    lat_deg: Floats
    lon_deg: Floats
    agl_m: Floats
    lowest_agl_m: float
    highest_agl_m: float
    flat: bool


def route_heights(mission: Mission, ground: Ground | None) -> RouteHeights:
    """Raises InputError: heights that the plan doesn't name or that can't be told above the
    ground, ground that the model doesn't know."""
    legs = [leg for way in mission.ways for leg in itertools.pairwise(way)]
    single = [(way[0], way[0]) for way in mission.ways if len(way) == 1]
    legs += single
    if not legs:
        raise InputError(
            f"{mission.name}: flies nowhere, so it tells no height; give the heights above "
            "ground with --agl-m"
        )
    total_m = sum(distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg) for a, b in legs)
    step_m = max(STEP_M, total_m / MOST_STEPS)
    flown = [list(_steps(*leg, step_m)) for leg in legs]
    lat = np.array([p[0] for leg in flown for p in leg])
    lon = np.array([p[1] for leg in flown for p in leg])
    below = None if ground is None else _known(ground, lat, lon, mission)
    home_m = _home_height_m(mission, ground)
    agl, at = np.empty(len(lat)), 0
    flights: list[float] = []  # lowest of each leg that is no climb or descent
    for (a, b), steps in zip(legs, flown, strict=True):
        here = slice(at, at + len(steps))
        at += len(steps)
        under = np.full(len(steps), home_m or 0.0) if below is None else below[here]
        share = np.array([p[2] for p in steps])
        agl[here] = _agl_m(a, b, share, under, home_m, mission, below is None)
        if not (a.near_ground or b.near_ground):
            flights.append(float(agl[here].min()))
    highest_m = float(agl.max())
    lowest_m = max(MIN_AGL_M, min([CLIMB_AGL_M, highest_m, *flights]))
    if highest_m < MIN_AGL_M:
        raise InputError(
            f"{mission.name}: never flies more than {highest_m:.0f} m above ground; check its "
            "heights and what they count from"
        )
    return RouteHeights(lat, lon, agl, lowest_m, highest_m, ground is None)


def _steps(a: Waypoint, b: Waypoint, step_m: float) -> Iterable[tuple[float, float, float]]:
    """(lat_deg, lon_deg, share of the leg), both ends included."""
    east_m, north_m = enu_offset_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)
    count = max(1, math.ceil(math.hypot(east_m, north_m) / step_m))
    for i in range(count + 1):
        share = i / count
        yield (*offset_latlon(a.lat_deg, a.lon_deg, share * east_m, share * north_m), share)


def _agl_m(
    a: Waypoint,
    b: Waypoint,
    share: Floats,
    under_m: Floats,
    home_m: float | None,
    mission: Mission,
    flat: bool,
) -> Floats:
    """Between two waypoints of one frame, that frame's height changes evenly."""
    if a.frame is HeightFrame.TERRAIN and b.frame is HeightFrame.TERRAIN:
        return _height(a, mission) + (_height(b, mission) - _height(a, mission)) * share
    start_m = _amsl_m(a, float(under_m[0]), home_m, mission, flat)
    end_m = _amsl_m(b, float(under_m[-1]), home_m, mission, flat)
    return start_m + (end_m - start_m) * share - under_m


def _amsl_m(
    point: Waypoint, under_m: float, home_m: float | None, mission: Mission, flat: bool
) -> float:
    """Above mean sea level, or above home where neither home's nor the ground's is known."""
    if point.near_ground and point.height_m is None:
        return under_m
    if point.frame is HeightFrame.TERRAIN:
        return under_m + _height(point, mission)
    if point.frame is HeightFrame.AMSL:
        if flat and home_m is None:
            raise InputError(
                f"{mission.name}: {point.where}: its height counts from sea level and home's "
                "is not known; give the ground with --dem, or the heights with --agl-m"
            )
        return _height(point, mission)
    if home_m is None:
        if not flat:
            raise InputError(
                f"{mission.name}: {point.where}: its height counts from home, which the plan "
                "does not place; set it in the ground station, or give the heights with --agl-m"
            )
        home_m = 0.0
    return home_m + _height(point, mission)


def _height(point: Waypoint, mission: Mission) -> float:
    if point.height_m is None:
        raise InputError(
            f"{mission.name}: {point.where}: names no height; give the heights above ground "
            "with --agl-m"
        )
    return point.height_m


def _home_height_m(mission: Mission, ground: Ground | None) -> float | None:
    """The ground's at home; what the plan says of it without a model."""
    home = mission.home
    if home is None:
        return None
    if ground is None:
        return home.height_m
    return float(_known(ground, np.array([home.lat_deg]), np.array([home.lon_deg]), mission)[0])


def _known(ground: Ground, lat: Floats, lon: Floats, mission: Mission) -> Floats:
    heights = ground.heights_at_m(lat, lon)
    unknown = ~np.isfinite(heights)
    if unknown.any():
        first = int(np.flatnonzero(unknown)[0])
        raise InputError(
            f"{mission.name}: the elevation model {ground.files[0].name} does not know the ground "
            f"under {unknown.mean():.0%} of the route, such as at {lat[first]:.5f}, "
            f"{lon[first]:.5f}; give one that covers it, or the heights with --agl-m"
        )
    return heights
