"""Every photograph located alone, once for each draw of the prior, beside the baselines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from maps.progress import progress_s
from onboard.geodesy import offset_latlon
from onboard.ground.doubtful_ground import DoubtfulGround
from onboard.ground.height_above_terrain import height_above_terrain
from onboard.localize import Localizer, Look
from onboard.messages import FrameResult, Prior, Refusal, View
from onboard.pack.map_pack import MapPack
from onboard.reasons import Reason, Stage
from onboard.second_look import see_again
from tools.baselines import Baseline
from tools.fixes_csv import write_fixes_csv
from tools.flight_inputs import FlightInputs
from tools.photo_folder import Photo, attitude_of, frame_of, height_of
from tools.pose_csv import photo_key
from tools.report import write_report
from tools.run_record import FrameRecord, RunRecord, keep_frame
from tools.scores import FrameScore, score_frame
from tools.truth import recorded_track

OWN = "pilotage"


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
        self._localizer = Localizer(inputs.pack, inputs.describer, inputs.camera)
        self._terrain = height_above_terrain(inputs.pack)
        self.results: dict[int, list[FrameResult]] = {seed: [] for seed in seeds}
        self.scores: dict[str, list[FrameScore]] = {OWN: [], **{b.name: [] for b in baselines}}
        self._first_frames: list[FrameRecord] = []

    def run(self) -> None:
        photos = self._inputs.flight.photos
        for place, photo in enumerate(
            tqdm(photos, unit="photo", smoothing=0, mininterval=progress_s())
        ):
            for seed, result in self._localize(place, photo):
                self._keep(seed, photo, self._priors[seed][place], result)

    def write(self, out: Path, title: str, notes: tuple[str, ...]) -> Path:
        """The report and fixes.csv of the first seed, fixes_seed_N.csv of the others."""
        first, *others = self.results
        for seed in others:
            write_fixes_csv(out / f"fixes_seed_{seed}.csv", self.results[seed])
        if others:
            title = f"{title}; shown: seed {first}"
        scores = self.scores[OWN][:: len(self.results)]
        truth = recorded_track(self._inputs.flight.photos)
        record = RunRecord(
            title, tuple(self._first_frames), tuple(scores), truth=truth, notes=notes
        )
        return write_report(out, record, self._inputs.pack)

    def _localize(self, place: int, photo: Photo) -> Iterator[tuple[int, FrameResult]]:
        """One result a seed; what does not depend on the prior is done once."""
        look: Look | FrameResult | None = None
        ground = None
        for seed, priors in self._priors.items():
            if look is None or self._terrain is not None:
                look, ground = self._look(photo, priors[place])
            if isinstance(look, FrameResult):
                yield seed, look
            elif self._needs_prior and priors[place] is None:
                yield seed, _without_position(photo, look.view)
            else:
                first = self._localizer.find(look, priors[place])
                yield seed, self._again(photo, ground, priors[place], first)

    def _look(
        self, photo: Photo, prior: Prior | None
    ) -> tuple[Look | FrameResult, DoubtfulGround | None]:
        """The look, and its ground where that is in doubt."""
        height, relief, ground = height_of(photo), None, None
        if self._terrain is not None and height is not None:
            height, _ = self._terrain.height(height, prior)
            relief = self._terrain.relief(prior)
            ground = self._terrain.doubt(height, prior)
        attitude = attitude_of(photo, self._inputs.by_gimbal)
        look = self._localizer.look(
            frame_of(photo), attitude, height, self._at_lat_deg(photo), relief=relief
        )
        return look, ground

    def _again(
        self,
        photo: Photo,
        ground: DoubtfulGround | None,
        prior: Prior | None,
        first: FrameResult,
    ) -> FrameResult:
        if ground is None:
            return first
        attitude = attitude_of(photo, self._inputs.by_gimbal)
        at_lat_deg = self._at_lat_deg(photo)
        return see_again(
            self._localizer, frame_of(photo), attitude, ground, prior, at_lat_deg, first
        )

    def _at_lat_deg(self, photo: Photo) -> float:
        lat_deg = photo.tags.lat_deg
        return self._inputs.pack.centre[0] if lat_deg is None else lat_deg

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
