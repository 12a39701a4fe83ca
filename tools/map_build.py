"""`pilotage map build`: imagery into a map pack."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.build import BuildRequest, build_pack
from maps.plan import parse_agl, parse_levels
from maps.provenance import Provenance
from onboard.model_bundle import load_bundle
from tools.network_options import add_backend_arguments, add_model_argument, chosen_backend

HELP = (
    "Makes a map pack from imagery: GeoTIFF, COG, VRT, pictures with a world file, a CSV of "
    "pictures with corner coordinates (filename, top_left_lat, top_left_lon, "
    "bottom_right_lat, bottom_right_lon), MBTiles, an XYZ folder (z/x/y.jpg). Where inputs "
    "overlap, the later one wins. A build that was stopped goes on with the same command."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("imagery", nargs="+", type=Path, help="files or folders")
    parser.add_argument("--out", type=Path, required=True, help="the pack's folder: area.pack")
    parser.add_argument("--area", help="only this area: W,S,E,N in degrees, .geojson or .kml")
    parser.add_argument(
        "--levels",
        help="Web Mercator levels, as 17-19 or 18,19 (default: the imagery's own and the two "
        "below; with --agl-m, those at which a camera's picture fills a tile)",
    )
    parser.add_argument("--agl-m", help="flight heights above ground in metres, as 80-120")
    parser.add_argument("--crs", help="EPSG:..., for pictures that do not say theirs")
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


def run(args: argparse.Namespace) -> int:
    request = BuildRequest(
        inputs=tuple(args.imagery),
        out=args.out,
        area=args.area,
        levels=None if args.levels is None else parse_levels(args.levels),
        agl_m=None if args.agl_m is None else parse_agl(args.agl_m),
        crs=args.crs,
        provenance=Provenance(
            tuple(args.source), tuple(args.date), tuple(args.licence), tuple(args.attribution)
        ),
        replace=args.force,
        backend=chosen_backend(args),
    )
    done = build_pack(request, load_bundle(args.model))
    levels = ", ".join(map(str, done.levels))
    print(f"{done.pack}: {done.tiles} tiles at levels {levels}; network on {done.runs_on}")
    if not done.resumed:
        rate = done.tiles / done.seconds
        print(
            f"{done.seconds:.1f} s, {rate:.1f} tiles/s; the bare network does "
            f"{done.bare_tiles_per_s:.1f} tiles/s: {rate / done.bare_tiles_per_s:.2f} of it"
        )
    return 0
