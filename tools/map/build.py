"""`pilotage map build`: imagery into a map pack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from maps.build import BuildRequest, BuildSummary, build_pack
from maps.cells.store import CellStore
from maps.plan import parse_agl, parse_levels
from maps.provenance import Provenance
from maps.terrain import open_dems
from onboard.errors import InputError
from onboard.model_bundle import load_bundle
from onboard.pack.map_error import MAP_SIGMA_M
from tools.map.dem_options import DEM_FACTS, add_dem_arguments, chosen_dems
from tools.map.mission_options import (
    add_mission_arguments,
    chosen_camera,
    chosen_mission,
    said_of,
)
from tools.map.new_folder import refuse_missing_parent
from tools.network_options import add_backend_arguments, add_model_argument, chosen_backend

HELP = (
    "Makes a map pack from imagery: GeoTIFF, COG, VRT or a folder of them, pictures with a world "
    "file, a CSV of pictures with corner coordinates (filename, top_left_lat, top_left_lon, "
    "bottom_right_lat, bottom_right_lon), MBTiles, PMTiles, an XYZ folder (z/x/y.jpg), an "
    "OpenDroneMap folder, a tile service's TOML file (url, levels, licence, attribution; its key "
    "comes from the environment). Where inputs overlap, the later one wins. A build that was "
    "stopped goes on with the same command."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("imagery", nargs="+", type=Path, help="files or folders")
    parser.add_argument("--out", type=Path, help="the pack's folder: area.pack")
    parser.add_argument(
        "--store",
        help="a folder or address (s3://...) where finished cells stay: a later build does only "
        "what changed, and 'pilotage map cut' takes packs out; without --out, only that",
    )
    parser.add_argument(
        "--drop", action="store_true", help="take imagery out of the store that is not named here"
    )
    parser.add_argument(
        "--cluster",
        metavar="tcp://HOST:8786",
        help="let the workers of this Dask scheduler do it; they share --store and the imagery",
    )
    parser.add_argument("--name", help="the pack's name (default: its folder's)")
    parser.add_argument(
        "--area",
        help="only this area: W,S,E,N in degrees, .geojson or .kml (of a line: with --corridor-m); "
        "with --mission, which then decides only the heights",
    )
    parser.add_argument(
        "--levels",
        help="Web Mercator levels, as 17-19 or 18,19 (default: the imagery's own and the two "
        "below; with --mission or --agl-m, those at which the camera's picture fills a tile)",
    )
    parser.add_argument("--agl-m", help="flight heights above ground in metres, as 80-120")
    parser.add_argument("--crs", help="EPSG:..., for pictures that do not say theirs")
    add_mission_arguments(parser)
    add_dem_arguments(parser)
    add_model_argument(parser)
    add_backend_arguments(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing pack")
    said = parser.add_argument_group("of the imagery (once for all inputs, or once for each)")
    for option, meaning in (
        ("--source", "its name (default: the file's)"),
        ("--date", "when it was taken: 2024-10-30, 2024-10 or 2024 (default: the file's)"),
        ("--licence", "its licence"),
        ("--attribution", "whom to credit"),
    ):
        said.add_argument(option, action="append", default=[], help=meaning)
    said.add_argument(
        "--map-sigma-m",
        action="append",
        default=[],
        type=float,
        help="how far it is off, horizontally, 1 sigma per axis: 0.1 with ground control, 3-10 of "
        "tile services and of surveys without (default: what the service's file says; where "
        f"nobody says it, {MAP_SIGMA_M:g} is assumed in flight)",
    )


def run(args: argparse.Namespace) -> int:
    if args.out is None and args.store is None:
        raise InputError("--out: give the pack's folder, or --store to make only a cell store")
    if args.out is not None:
        refuse_missing_parent("--out", args.out)
    if args.store is not None and (folder := CellStore(args.store).folder) is not None:
        refuse_missing_parent("--store", folder)
    _refuse_idle(args)
    agl_m = None if args.agl_m is None else parse_agl(args.agl_m)
    dems, dem_said = chosen_dems(args)
    camera = chosen_camera(args)
    mission = chosen_mission(args, open_dems(dems, dem_said) if dems else None, camera, agl_m)
    if mission is not None:
        print(said_of(mission, args.mission, camera, args.area), file=sys.stderr)
    request = BuildRequest(
        inputs=tuple(args.imagery),
        out=args.out,
        area=args.area,
        levels=None if args.levels is None else parse_levels(args.levels),
        agl_m=agl_m,
        crs=args.crs,
        provenance=Provenance(
            tuple(args.source),
            tuple(args.date),
            tuple(args.licence),
            tuple(args.attribution),
            tuple(args.map_sigma_m),
        ),
        replace=args.force,
        backend=chosen_backend(args),
        name=args.name,
        store=args.store,
        drop=args.drop,
        cluster=args.cluster,
        dems=dems,
        dem_said=dem_said,
        mission=mission,
        camera=camera,
        corridor_m=args.corridor_m,
    )
    done = build_pack(request, load_bundle(args.model))
    say_what_was_done(done, args.store)
    return 0


def _refuse_idle(args: argparse.Namespace) -> None:
    """Raises InputError: an option that would change nothing, without the one it goes with."""
    if args.mission is None and args.whole_fence:
        raise InputError("--whole-fence: goes with a --mission; name one")
    if args.corridor_m is not None and args.mission is None and args.area is None:
        raise InputError("--corridor-m: goes with a --mission or an --area; name one")
    if args.corridor_m is not None and args.mission is not None and args.area is not None:
        raise InputError("--corridor-m: is it of --area or of --mission? leave one of them out")
    if args.camera is not None and args.mission is None and args.agl_m is None:
        raise InputError("--camera: goes with a --mission or --agl-m, the heights it looks from")
    if args.drop and args.store is None:
        raise InputError("--drop: takes imagery out of a --store; name one")
    if said := [o for o in DEM_FACTS if getattr(args, o[2:].replace("-", "_")) and not args.dem]:
        raise InputError(f"{said[0]}: says something of a --dem; name one")


def say_what_was_done(done: BuildSummary, store: str | None) -> None:
    levels = ", ".join(map(str, done.levels))
    if store is not None:
        gone = f", {done.cells_gone} taken out" if done.cells_gone else ""
        print(f"{store}: cells: {done.cells_done} made, {done.cells_there} were there{gone}")
    network = "" if done.runs_on is None else f"; network on {done.runs_on}"
    print(f"{done.pack or store}: {done.tiles} tiles at levels {levels}{network}")
    if done.bare_tiles_per_s is not None and not done.resumed:
        rate = done.described / done.seconds
        print(
            f"{done.seconds:.1f} s, {rate:.1f} tiles/s; the bare network does "
            f"{done.bare_tiles_per_s:.1f} tiles/s: {rate / done.bare_tiles_per_s:.2f} of it"
        )
