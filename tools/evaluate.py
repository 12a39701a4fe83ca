"""`pilotage evaluate`: every photograph alone against a reference, beside SIFT and XFeat."""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import offset_latlon
from onboard.localize import Localizer
from onboard.map_pack import MapPack
from onboard.messages import FrameResult, Prior, Reason, Refusal, Stage, View
from onboard.whole_file import make_folder, write_whole
from tools.baselines import Baseline, make_baselines
from tools.fixes_csv import write_fixes_csv
from tools.flight_inputs import (
    FlightInputs,
    add_flight_arguments,
    open_flight_inputs,
    positive,
    refuse_wrong_map,
)
from tools.photo_folder import Photo, attitude_of, frame_of, height_of
from tools.pose_csv import photo_key
from tools.report import write_report
from tools.run_record import RunRecord, keep_frame
from tools.score_table import details, score_table
from tools.scores import FrameScore, score_frame, stage_latency, total
from tools.truth import read_reference, recorded_track

HELP = (
    "Locates every photograph by itself, without a filter. The prior is the recorded position "
    "plus seeded noise; the truth is the folder's reference.csv (centre_lat_deg, "
    "centre_lon_deg), else the recorded positions. Prints a table, writes fixes.csv, "
    "results.json and a report."
)
OWN = "pilotage"
_LARGEST_SEED = 2**32 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, help="folder of photographs, or one with photos/")
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
    seeds = parse_seeds("1" if args.no_prior else args.seeds)
    inputs = open_flight_inputs(args.flight, args)
    reference = read_reference(args.flight)
    names = [name.strip() for name in args.baseline.split(",") if name.strip()]
    baselines, absent = make_baselines(names, inputs.pack, args.xfeat_weights)
    make_folder(args.out)
    for note in (*inputs.notes, *absent):
        print(note)
    sigma_m = None if args.no_prior else args.prior_sigma_m
    evaluation = Evaluation(inputs, reference, seeds, sigma_m, baselines)
    evaluation.run()
    prior = "no prior" if sigma_m is None else f"prior sigma {sigma_m:g} m, seed {args.seeds}"
    truth = "reference.csv" if reference else "recorded positions"
    title = f"{args.flight.resolve().name}: every photograph alone, {prior}, against {truth}"
    rows = [total(name, scores) for name, scores in evaluation.scores.items()]
    latency = stage_latency(r for results in evaluation.results.values() for r in results)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{title}\n{score_table(rows)}\n{details(rows[0], latency)}")
    print(f"  peak resident memory {peak_mb:.0f} MB")
    results = {
        "title": title,
        "notes": [*inputs.notes, *absent],
        "methods": [_with_share(dataclasses.asdict(r), r.near_share) for r in rows],
        "stages_ms": {stage: dataclasses.asdict(s) for stage, s in latency.items()},
        "peak_resident_mb": round(peak_mb),
    }
    path = evaluation.write(args.out, title, (*inputs.notes, *absent))
    write_whole(args.out / "results.json", json.dumps(results, indent=1) + "\n")
    print(f"report: {path}")
    refuse_wrong_map(inputs)
    return 0


class Evaluation:
    """scores by method (its own first); results by seed, in the frames' order."""

    def __init__(
        self,
        inputs: FlightInputs,
        reference: dict[str, tuple[float, float]],
        seeds: list[int],
        sigma_m: float | None,
        baselines: list[Baseline],
    ) -> None:
        self._inputs = inputs
        self._reference = reference
        self._priors = {seed: _draw_priors(inputs.flight.photos, seed, sigma_m) for seed in seeds}
        self._needs_prior = sigma_m is not None
        self._baselines = baselines
        self._localizer = Localizer(inputs.pack, Describer(inputs.bundle), inputs.camera)
        self.results: dict[int, list[FrameResult]] = {seed: [] for seed in seeds}
        self.scores: dict[str, list[FrameScore]] = {OWN: [], **{b.name: [] for b in baselines}}
        self._first_frames: list[Any] = []

    def run(self) -> None:
        photos = self._inputs.flight.photos
        for place, photo in enumerate(tqdm(photos, unit="photo", smoothing=0)):
            for seed, result in self._localize(place, photo):
                self._keep(seed, photo, self._priors[seed][place], result)

    def write(self, out: Path, title: str, notes: tuple[str, ...]) -> Path:
        """The report and fixes.csv of the first seed, fixes_seed_N.csv of the others."""
        first, *others = self.results
        for seed in others:
            write_fixes_csv(out / f"fixes_seed_{seed}.csv", self.results[seed])
        if others:
            title, notes = f"{title}; shown: seed {first}", notes
        scores = self.scores[OWN][:: len(self.results)]
        truth = recorded_track(self._inputs.flight.photos)
        record = RunRecord(
            title, tuple(self._first_frames), tuple(scores), truth=truth, notes=notes
        )
        return write_report(out, record, self._inputs.pack)

    def _localize(self, place: int, photo: Photo) -> Iterator[tuple[int, FrameResult]]:
        """One result a seed; what does not depend on the prior is done once."""
        lat_deg = photo.tags.lat_deg
        look = self._localizer.look(
            frame_of(photo),
            attitude_of(photo, self._inputs.by_gimbal),
            height_of(photo),
            self._inputs.pack.centre[0] if lat_deg is None else lat_deg,
        )
        for seed, priors in self._priors.items():
            if isinstance(look, FrameResult):
                yield seed, look
            elif self._needs_prior and priors[place] is None:
                yield seed, _without_position(photo, look.view)
            else:
                yield seed, self._localizer.find(look, priors[place])

    def _keep(self, seed: int, photo: Photo, prior: Prior | None, result: FrameResult) -> None:
        record = keep_frame(result, self._inputs.pack)
        lat, lon = photo.tags.lat_deg, photo.tags.lon_deg
        vehicle = None if lat is None or lon is None else (lat, lon)
        centre = self._reference.get(photo_key(photo.path.name))
        self.results[seed].append(record.result)
        self.scores[OWN].append(score_frame(result, vehicle, centre))
        if seed == next(iter(self.results)):
            self._first_frames.append(record)
        for baseline in self._baselines:
            self.scores[baseline.name].append(
                _baseline_score(
                    baseline, self._inputs.pack, result, prior, self._needs_prior, vehicle, centre
                )
            )


def parse_seeds(text: str) -> list[int]:
    """'1', '1,4', '1-5'. Raises InputError."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            seeds += range(int(low), int(high or low) + 1)
    except ValueError as e:
        raise InputError(f"--seeds '{text}': give whole numbers, as 1, 1-5 or 1,4") from e
    if not seeds or len(seeds) > 1000 or max(seeds) > _LARGEST_SEED or len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds '{text}': give 1 to 1000 different numbers, as 1, 1-5 or 1,4")
    return seeds


def _draw_priors(photos: tuple[Photo, ...], seed: int, sigma_m: float | None) -> list[Prior | None]:
    """One draw a photograph in their order, whether it is used or not."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (len(photos), 2))
    priors: list[Prior | None] = []
    for photo, (east, north) in zip(photos, noise.tolist(), strict=True):
        lat, lon = photo.tags.lat_deg, photo.tags.lon_deg
        if sigma_m is None or lat is None or lon is None:
            priors.append(None)
        else:
            drawn = offset_latlon(lat, lon, sigma_m * east, sigma_m * north)
            priors.append(Prior(*drawn, sigma_m))
    return priors


def _without_position(photo: Photo, view: View) -> FrameResult:
    detail = "the photograph tells no position to draw a prior around; try --no-prior"
    refusal = Refusal(photo.time_ns, Stage.INPUT, Reason.NO_CANDIDATE, detail)
    return FrameResult(photo.name, photo.time_ns, None, refusal, view=view)


def _baseline_score(
    baseline: Baseline,
    pack: MapPack,
    result: FrameResult,
    prior: Prior | None,
    needs_prior: bool,
    vehicle: tuple[float, float] | None,
    centre: tuple[float, float] | None,
) -> FrameScore:
    """On the same view; refused where there is none, or no prior although there should be."""
    view = result.view
    if view is None or (needs_prior and prior is None):
        reason = result.refusal.reason.value if result.refusal else ""
        return FrameScore(result.frame_name, False, reason)
    if prior is not None:
        at = offset_latlon(prior.lat_deg, prior.lon_deg, -view.nadir_east_m, -view.nadir_north_m)
        prior = Prior(*at, prior.sigma_m)
    return baseline.locate(view, prior, pack, result.frame_name, vehicle, centre)


def _with_share(method: dict[str, Any], near_share: float) -> dict[str, Any]:
    return {**method, "near_share": near_share}
