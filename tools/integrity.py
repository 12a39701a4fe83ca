"""`pilotage integrity`: how often a position is off by more than its protection level."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.pack.pack_manifest import MANIFEST_NAME, read_manifest
from onboard.whole_file import make_folder, write_whole
from tools.flight_inputs import positive
from tools.integrity_grounds import WORLD, world_pack
from tools.integrity_study import FLIGHTS, FRAMES, Study, run_study
from tools.integrity_summary import bounded, flight_figures, frame_figures, lines_of
from tools.progress_bar import progress_bar
from tools.stanford import integrity, stanford_svg

HELP = (
    "Renders frames over a map's imagery (or other imagery of the same ground, or the procedural "
    "world) from random places, heights and attitudes, in other seasons, light and weather, "
    "tells the localizer of them with errors, and counts misleading fixes: those off by more "
    "than their protection level. With --flights whole flights, too, their ends without GNSS. "
    "A killed study goes on with the same command. Writes integrity.json and Stanford diagrams."
)
MOST_CASES, MOST_JOBS = 1_000_000, 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--map", type=Path, help="map pack")
    what.add_argument("--procedural", type=int, metavar="SEED", help="a procedural world, made")
    parser.add_argument(
        "--imagery",
        type=Path,
        help="what the frames are taken of, as map build takes it (default: the pack's tiles)",
    )
    parser.add_argument("--frames", type=int, default=10_000, help="default 10000")
    parser.add_argument("--flights", type=int, default=0, help="of 150 s each (default 0)")
    parser.add_argument(
        "--map-error-m",
        type=positive,
        help="how far the map is off in truth, 1 sigma per axis (default: what the map says)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default 1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--out", type=Path, default=Path("integrity-out"), help="output folder")


def run(args: argparse.Namespace) -> int:
    if not (0 <= args.frames <= MOST_CASES and 0 <= args.flights <= MOST_CASES):
        raise InputError(f"give --frames and --flights of 0 to {MOST_CASES}")
    if not args.frames + args.flights or not 1 <= args.jobs <= MOST_JOBS or args.seed < 0:
        raise InputError(f"give some --frames or --flights, --jobs 1 to {MOST_JOBS}, --seed >= 0")
    if args.procedural is not None and (args.imagery is not None or args.procedural < 0):
        raise InputError("--procedural takes a seed from 0 on, and no --imagery")
    make_folder(args.out)
    pack, imagery = args.map, "pack" if args.imagery is None else str(args.imagery)
    if args.procedural is not None:
        pack = world_pack(args.procedural, args.out)
        imagery = f"{WORLD}{args.procedural}"
    manifest = read_manifest(pack)
    map_error_m = args.map_error_m or manifest.map_sigma_m
    sha256 = hashlib.sha256((pack / MANIFEST_NAME).read_bytes()).hexdigest()
    figures: dict[str, Any] = {"map": str(pack), "imagery": imagery, "seed": args.seed}
    figures |= {"map_sigma_m": manifest.map_sigma_m, "map_error_m": map_error_m}
    for case, count in ((FRAMES, args.frames), (FLIGHTS, args.flights)):
        if count:
            study = Study(str(pack), sha256, imagery, args.seed, case, map_error_m)
            figures |= _run(study, count, args)
    write_whole(args.out / "integrity.json", json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        if isinstance(value, dict):
            print("\n".join(lines_of(name, value)))
    print(f"{args.out / 'integrity.json'}")
    return 1 if any(_too_many(v) for v in figures.values() if isinstance(v, dict)) else 0


def _run(study: Study, count: int, args: argparse.Namespace) -> dict[str, Any]:
    """Runs one kind of cases; draws its diagram; returns its figures by name."""
    with progress_bar(f"{study.case}s", study.case) as bar:
        rows = run_study(study, count, args.jobs, args.out / f"{study.case}s.jsonl", bar)
    points = [p for p in bounded(rows)]
    title = f"{count} {study.case}s over {Path(study.map).name}"
    write_whole(args.out / f"stanford_{study.case}s.svg", stanford_svg(points, title))
    print(f"{study.case}s: {integrity(points)}")
    if study.case == FLIGHTS:
        return {"flights": flight_figures(rows)}
    return {
        "with prior": frame_figures([r for r in rows if r["prior_m"] is not None]),
        "without prior": frame_figures([r for r in rows if r["prior_m"] is None]),
    }


def _too_many(figures: dict[str, Any]) -> bool:
    """More misleading fixes than the goal of one in a thousand."""
    return bool(figures.get("misleading", 0) > 1e-3 * figures.get("fixes", 0))
