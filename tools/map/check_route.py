"""The way of a mission as `map check` flies it, and how high above the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shapely.geometry import LineString, box

from maps.localizability.route import Position
from maps.mission import Mission, read_mission
from maps.mission.heights import Ground, route_heights
from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG, distance_to_box_m
from onboard.messages import Floats
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import TERRAIN_NAME
from onboard.pack.terrain import Terrain


@dataclass(frozen=True)
class CheckedRoute:
    """positions: (lat_deg, lon_deg), two or more. agl_m: the lowest that is flown between climb
    and descent; None where it was not asked for or the mission tells no heights."""

    positions: tuple[Position, ...]
    agl_m: float | None
    notes: tuple[str, ...]


@dataclass
class _PackGround:
    """A pack's terrain as the missions' readers ask for it."""

    terrain: Terrain
    files: tuple[Path, ...]

    def heights_at_m(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        return self.terrain.heights_m(lat_deg, lon_deg)


def read_route(path: Path, pack: MapPack, heights: bool) -> CheckedRoute:
    """heights: whether the mission's are needed, above the pack's terrain or else flat ground.

    Raises InputError: no such file, of no known kind, without a way of two points, wholly off
    the map, heights that can't be told above the ground.
    """
    mission = read_mission(path)
    positions = mission.route
    if len(set(positions)) < 2:
        raise InputError(f"{path}: holds no way of two points or more; give a mission that flies")
    if not all(abs(lat) <= MAX_LAT_DEG and abs(lon) <= 180.0 for lat, lon in positions):
        raise InputError(f"{path}: its coordinates are not longitude, latitude in degrees")
    _refuse_elsewhere(path, positions, pack)
    notes = []
    if len(mission.ways) > 1:
        notes.append(
            f"{mission.name}: the first of {len(mission.ways)} ways was checked; give the others "
            "in files of their own"
        )
    if not heights:
        return CheckedRoute(positions, None, tuple(notes))
    if not _tells_heights(mission):
        notes.append(f"{mission.name} tells no height")
        return CheckedRoute(positions, None, tuple(notes))
    terrain = pack.terrain
    ground: Ground | None = None
    if terrain is not None:
        ground = _PackGround(terrain, (pack.path / TERRAIN_NAME,))
    agl_m = float(route_heights(_cruise(mission), ground).agl_m.min())
    above = "flat ground" if ground is None else "the pack's terrain"
    notes.append(
        f"{mission.name}: {agl_m:.0f} m above {above} is the lowest between climb and descent"
    )
    return CheckedRoute(positions, agl_m, tuple(notes))


def _refuse_elsewhere(path: Path, positions: Sequence[Position], pack: MapPack) -> None:
    """Raises InputError: no leg of the way touches the map's bounds."""
    south, west, north, east = pack.bounds
    way = LineString([(lon, lat) for lat, lon in positions])
    if not way.intersects(box(west, south, east, north)):
        off_m = min(distance_to_box_m(pack.bounds, *position) for position in positions)
        raise InputError(
            f"{path}: the mission lies off the map, its nearest waypoint by {off_m / 1000:.1f} km; "
            f"nothing was checked, give the map of its area instead of {pack.path.name}"
        )


def _cruise(mission: Mission) -> Mission:
    """Without what leads to and from the ground, where anything is left."""
    way = mission.ways[0]
    inner = tuple(w for w in way if not w.near_ground)
    return replace(mission, ways=(inner or way,))


def _tells_heights(mission: Mission) -> bool:
    return any(w.height_m is not None for way in mission.ways for w in way)
