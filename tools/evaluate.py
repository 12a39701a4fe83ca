"""`pilotage evaluate`: every photograph alone against a reference, beside SIFT and XFeat; errors
against protection levels over all flights."""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
from pathlib import Path

from onboard.errors import InputError
from onboard.whole_file import make_folder, write_whole
from tools.baselines import make_baselines
from tools.evaluation import OWN, Evaluation
from tools.flight_inputs import (
    add_flight_arguments,
    open_flight_inputs,
    positive,
    refuse_wrong_map,
)
from tools.photo_camera import MOUNTING_GUESSED
from tools.score_table import details, score_table
from tools.scores import stage_latency, total
from tools.stanford import Bounded, integrity, stanford_svg
from tools.truth import read_reference

HELP = (
    "Locates every photograph by itself, without a filter. The prior is the recorded position "
    "plus seeded noise; the truth is the folder's reference.csv (centre_lat_deg, "
    "centre_lon_deg), else the recorded positions. Prints a table, writes fixes.csv, "
    "results.json, a report and a Stanford diagram (the position's error against its protection "
    "level). Several flights over one map get a folder each, and a diagram together."
)
STANFORD_NAME = "stanford.svg"
_LARGEST_SEED = 2**32 - 1
_MOST_SEEDS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "flight", type=Path, nargs="+", help="folder of photographs, or one with photos/"
    )
    add_flight_arguments(parser)
    parser.add_argument(
        "--prior-sigma-m", type=positive, default=50.0, help="noise per axis (default 50)"
    )
    parser.add_argument("--seeds", "--seed", default="1", help="of the noise, pooled: 1, 1-5, 1,4")
    parser.add_argument("--no-prior", action="store_true", help="search the whole pack")
    parser.add_argument("--baseline", default="", help="sift, xfeat or sift,xfeat")
    parser.add_argument("--xfeat-weights", type=Path, help="XFeat as ONNX")
    parser.add_argument("--out", type=Path, default=Path("evaluate-out"), help="output folder")


def run(args: argparse.Namespace) -> int:
    names = [flight.resolve().name for flight in args.flight]
    if len(set(names)) < len(names):
        raise InputError(f"flights {', '.join(names)}: two have one name; rename their folders")
    if len(names) == 1:
        _evaluate(args.flight[0], args.out, args)
        return 0
    points: list[Bounded] = []
    for flight, name in zip(args.flight, names, strict=True):
        points += _evaluate(flight, args.out / name, args)
    write_whole(args.out / STANFORD_NAME, stanford_svg(points, ", ".join(names)))
    print(f"\nall flights: {integrity(points)}\n{args.out / STANFORD_NAME}")
    return 0


def _evaluate(flight: Path, out: Path, args: argparse.Namespace) -> list[Bounded]:
    seeds = parse_seeds("1" if args.no_prior else args.seeds)
    inputs = open_flight_inputs(flight, args)
    reference = read_reference(flight)
    names = [name.strip() for name in args.baseline.split(",") if name.strip()]
    baselines, absent = make_baselines(names, inputs.pack, args.xfeat_weights)
    make_folder(out)
    for note in (*inputs.notes, *absent):
        print(note)
    sigma_m = None if args.no_prior else args.prior_sigma_m
    evaluation = Evaluation(inputs, reference, seeds, sigma_m, baselines)
    evaluation.run()
    prior = "no prior" if sigma_m is None else f"prior sigma {sigma_m:g} m, seed {args.seeds}"
    truth = "reference.csv" if reference else "recorded positions"
    title = f"{flight.resolve().name}: every photograph alone, {prior}, against {truth}"
    rows = [total(name, scores) for name, scores in evaluation.scores.items()]
    latency = stage_latency(r for results in evaluation.results.values() for r in results)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{title}\n{score_table(rows)}\n{details(rows[0], latency)}")
    with_them = " (the baselines' included)" if baselines else ""
    print(f"  peak resident memory {peak_mb:.0f} MB{with_them}")
    points = [
        Bounded(s.vehicle_m, s.protection_m)
        for s in evaluation.scores[OWN]
        if s.vehicle_m is not None and s.protection_m is not None
    ]
    print(f"  {integrity(points)}")
    if MOUNTING_GUESSED in inputs.notes:
        print(f"  {MOUNTING_GUESSED}")
    results = {
        "title": title,
        "notes": [*inputs.notes, *absent],
        "methods": [{**dataclasses.asdict(r), "near_share": r.near_share} for r in rows],
        "stages_ms": {stage: dataclasses.asdict(s) for stage, s in latency.items()},
        "peak_resident_mb": round(peak_mb),
        "integrity": dataclasses.asdict(integrity(points)),
        "error_protection_m": [[round(p.error_m, 3), round(p.protection_m, 3)] for p in points],
    }
    path = evaluation.write(out, title, (*inputs.notes, *absent))
    write_whole(out / "results.json", json.dumps(results, indent=1) + "\n")
    write_whole(out / STANFORD_NAME, stanford_svg(points, title))
    print(f"report: {path}")
    refuse_wrong_map(inputs)
    return points


def parse_seeds(text: str) -> list[int]:
    """'1', '1,4', '1-5'. Raises InputError."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            seeds += range(int(low), min(int(high or low), int(low) + _MOST_SEEDS) + 1)
    except ValueError as e:
        raise InputError(f"--seeds '{text}': give whole numbers, as 1, 1-5 or 1,4") from e
    if not 1 <= len(seeds) <= _MOST_SEEDS or max(seeds) > _LARGEST_SEED:
        raise InputError(f"--seeds '{text}': give 1 to {_MOST_SEEDS} numbers, as 1, 1-5 or 1,4")
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds '{text}': give every number once")
    return seeds
