"""What a mission needs of a map: the area, and the heights it is flown at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from maps.mission.heights import Ground, route_heights
from maps.mission.mission import Mission
from maps.plan import COMMON_CAMERA
from maps.widened import widened
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.relocalization import MAX_AGREEING_SIGMA_M

# How far from its route a vehicle may be and still be found again: 4 sigma of the uncertainty
# up to which two fixes are taken to agree.
OFF_ROUTE_M = 4 * MAX_AGREEING_SIGMA_M


@dataclass(frozen=True)
class MissionNeeds:
    """area: WGS84 longitude, latitude. agl_m: lowest and highest height above ground, None where
    neither the file nor a person names one. flat: the ground was taken as flat. corridor_m:
    half of the corridor's width."""

    area: BaseGeometry
    agl_m: tuple[float, float] | None
    flat: bool
    corridor_m: float


def mission_needs(
    mission: Mission,
    ground: Ground | None = None,
    camera: Camera | None = None,
    corridor_m: float | None = None,
    agl_m: tuple[float, float] | None = None,
    whole_fence: bool = False,
) -> MissionNeeds:
    """ground: for heights above it. corridor_m, agl_m: as a person says; else the corridor
    takes in what the camera sees from OFF_ROUTE_M beside the route. Raises InputError as
    `route_heights` and `mission_area`."""
    flat = False
    drawn_only = all(w.height_m is None for way in mission.ways for w in way)
    if agl_m is None and not (drawn_only and corridor_m is not None):
        heights = route_heights(mission, ground)
        agl_m, flat = (heights.lowest_agl_m, heights.highest_agl_m), heights.flat
    if corridor_m is None:
        assert agl_m is not None
        corridor_m = default_corridor_m(agl_m[1], camera or COMMON_CAMERA)
    return MissionNeeds(mission_area(mission, corridor_m, whole_fence), agl_m, flat, corridor_m)


def default_corridor_m(highest_agl_m: float, camera: Camera) -> float:
    """Half a width: OFF_ROUTE_M and, beyond it, half the diagonal of the camera's picture on
    the ground, looking straight down."""
    fx, fy = camera.focal_px
    reach_m = highest_agl_m * math.hypot(camera.width_px / fx, camera.height_px / fy) / 2
    return float(math.ceil(OFF_ROUTE_M + reach_m))


def mission_area(mission: Mission, corridor_m: float, whole_fence: bool = False) -> BaseGeometry:
    """All within corridor_m (half a width) of the ways, the surveyed areas, home, rally points
    and loiters. A fence does not narrow it, for the camera looks over it; with whole_fence, and
    where there is no route at all, all that it includes is taken in.

    Raises InputError: nothing to map, the antimeridian, the poles."""
    where = mission.name
    shapes: list[BaseGeometry] = []
    for way in mission.ways:
        points = [(w.lon_deg, w.lat_deg) for w in way]
        shapes.append(LineString(points) if len(points) > 1 else Point(points[0]))
    shapes += mission.areas
    if whole_fence or not shapes:
        shapes += mission.fence
    if not shapes and not mission.places:
        raise InputError(f"{where}: flies nowhere; plan a mission, or give the area with --area")
    wide = [widened(shape, corridor_m, where) for shape in shapes]
    wide += [
        widened(Point(p.lon_deg, p.lat_deg), corridor_m + p.radius_m, where) for p in mission.places
    ]
    area = unary_union(wide)
    if area.area == 0:
        raise InputError(f"--corridor-m {corridor_m:g}: leaves no area; give metres above 0")
    return area
