"""`pilotage map cut`: a mission's pack out of a cell store."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from maps.area import parse_area
from maps.cut import CutRequest, cut_pack
from maps.plan import parse_levels
from tools.map.mission_options import MISSION_HELP
from tools.map.new_folder import refuse_missing_parent

HELP = (
    "Cuts a map pack out of a cell store that 'pilotage map build --store' made, for an area or "
    "a mission: in seconds, for nothing is described again."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", help="a folder or address (s3://...) of finished cells")
    parser.add_argument("--out", type=Path, required=True, help="the pack's folder: mission.pack")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--area", help="W,S,E,N in degrees, .geojson or .kml (of a line: with --corridor-m)"
    )
    where.add_argument("--mission", type=Path, help=MISSION_HELP)
    parser.add_argument(
        "--corridor-m",
        type=float,
        help="how far the map reaches to each side of the mission, or of --area (default for a "
        "mission: by its height)",
    )
    parser.add_argument("--levels", help="only these of the store's, as 17-19 or 18,19")
    parser.add_argument("--name", help="the pack's name (default: its folder's)")
    parser.add_argument("--force", action="store_true", help="replace an existing pack")


def run(args: argparse.Namespace) -> int:
    begin = time.monotonic()
    refuse_missing_parent("--out", args.out)
    request = CutRequest(
        args.store,
        args.out,
        _area(args),
        None if args.levels is None else parse_levels(args.levels),
        args.name,
        args.force,
    )
    manifest = cut_pack(request)
    tiles = sum(shard.count for shard in manifest.shards)
    levels = ", ".join(map(str, manifest.levels))
    print(
        f"{args.out}: {tiles} tiles at levels {levels}, {manifest.size_bytes() / 1e6:.1f} MB, "
        f"cut in {time.monotonic() - begin:.1f} s"
    )
    return 0


def _area(args: argparse.Namespace) -> BaseGeometry:
    if args.area is not None:
        return parse_area(args.area, args.corridor_m)
    from maps.mission.needs import mission_needs
    from maps.mission.read_mission import read_mission

    return mission_needs(read_mission(args.mission), corridor_m=args.corridor_m).area
