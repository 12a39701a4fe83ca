"""The options that name a mission, and what follows from it for the map."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.mission import MissionNeeds, mission_needs, read_mission
from maps.terrain import Dem
from onboard.camera import Camera
from onboard.settings import load_settings

MISSION_HELP = "QGroundControl .plan, ArduPilot .waypoints, or lines in .geojson or .kml"


def add_mission_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("mission: decides the area, and with --camera the levels")
    group.add_argument(
        "--mission",
        type=Path,
        help=f"{MISSION_HELP}: the map covers a corridor around the route, surveyed areas, home "
        "and rally points",
    )
    group.add_argument(
        "--corridor-m",
        type=float,
        help="how far the map reaches to each side of the mission, or of --area (default for a "
        "mission: 260 m and what the camera sees beyond at the highest point)",
    )
    group.add_argument(
        "--whole-fence", action="store_true", help="and all that the mission's fence includes"
    )
    group.add_argument(
        "--camera", type=Path, help="the camera's file, as 'run' takes it (default: 68 deg across)"
    )


def chosen_camera(args: argparse.Namespace) -> Camera | None:
    """Raises InputError: a wrong camera file."""
    return None if args.camera is None else load_settings(args.camera, Camera)


def chosen_mission(
    args: argparse.Namespace,
    dem: Dem | None,
    camera: Camera | None,
    agl_m: tuple[float, float] | None,
) -> MissionNeeds | None:
    """Raises InputError as `read_mission` and `mission_needs` do."""
    if args.mission is None:
        return None
    mission = read_mission(args.mission)
    return mission_needs(mission, dem, camera, args.corridor_m, agl_m, args.whole_fence)


def said_of(needs: MissionNeeds, path: Path, camera: Camera | None, area: str | None) -> str:
    """One line: what was taken from the mission, and what was assumed. area: given besides."""
    assumed = [] if camera is not None else ["a camera of 68 deg"]
    assumed += ["flat ground, no --dem"] if needs.flat else []
    heights = (
        ""
        if needs.agl_m is None
        else "map from {:.0f} to {:.0f} m above ground, ".format(*needs.agl_m)
    )
    reach = f"{needs.corridor_m:.0f} m to each side" if area is None else "--area as it is"
    return f"{path}: {heights}{reach}" + (f" (assumed: {', '.join(assumed)})" if assumed else "")
