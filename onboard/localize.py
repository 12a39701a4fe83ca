"""One frame through the stages, without any memory: flight and evaluation share it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.gate import gate
from onboard.geodesy import distance_m, offset_latlon
from onboard.ground.relief import Relief
from onboard.locate import locate
from onboard.messages import (
    Candidate,
    Description,
    Fix,
    Frame,
    FrameResult,
    Match,
    Prior,
    RecordedFrame,
    Refusal,
    View,
)
from onboard.pack.map_pack import MapPack
from onboard.picture_quality import check_picture, check_sharpness
from onboard.position_filter import sigma
from onboard.protection import PROTECTION_SIGMAS
from onboard.reasons import Reason, Stage
from onboard.rectify import choose_level, rectify
from onboard.rerank import rerank
from onboard.retrieve import retrieve
from onboard.telemetry_messages import Attitude, Height
from onboard.tile_descriptions import TileDescriptions
from onboard.vehicle_fix import Reach, nadir_covariance, vehicle_fix

# Tiles that go from retrieval to re-ranking, each some 10 ms on two cores.
CANDIDATES = 10
CANDIDATES_WITH_PRIOR = 5


@dataclass(frozen=True)
class Look:
    """A frame as far as it can be understood without the map."""

    name: str
    view: View
    description: Description
    latency_ms: dict[str, float] = field(default_factory=dict)


class Localizer:
    """Finds single frames in one map pack."""

    def __init__(self, pack: MapPack, describer: Describer, camera: Camera) -> None:
        self._pack = pack
        self._describer = describer
        self._camera = camera
        self._tiles = TileDescriptions(pack, describer)
        self._direction_sigma_rad = math.radians(camera.mounting.sigma_deg)
        self._map_sigma_m = pack.manifest.map_sigma_m

    def localize(
        self,
        frame: Frame,
        attitude: Attitude | None,
        height: Height | None,
        prior: Prior | None,
        at_lat_deg: float,
    ) -> FrameResult:
        """The frame alone. prior: where the vehicle may be, None for anywhere in the pack.
        at_lat_deg: roughly where, for the map's pixel size."""
        look = self.look(frame, attitude, height, at_lat_deg)
        return look if isinstance(look, FrameResult) else self.find(look, prior)

    def look(
        self,
        frame: Frame,
        attitude: Attitude | None,
        height: Height | None,
        at_lat_deg: float,
        level_before: int | None = None,
        relief: Relief | None = None,
    ) -> Look | FrameResult:
        """From the picture to its description; a FrameResult where it was refused.
        level_before: the view's before, see `choose_level`. relief: see `rectify`."""
        latency_ms: dict[str, float] = {}
        view = self._view(frame, attitude, height, at_lat_deg, level_before, relief, latency_ms)
        return self._describe(frame.name, frame.time_ns, view, latency_ms)

    def look_again(self, frame: RecordedFrame) -> Look | FrameResult:
        """The same from what a recording kept."""
        view = frame.view or frame.refusal
        if view is None:
            detail = "the recording kept neither the view nor why there was none"
            view = Refusal(frame.time_ns, Stage.INPUT, Reason.BAD_PICTURE, detail)
        return self._describe(frame.name, frame.time_ns, view, {})

    def _describe(
        self, name: str, time_ns: int, view: View | Refusal, latency_ms: dict[str, float]
    ) -> Look | FrameResult:
        if isinstance(view, Refusal):
            return FrameResult(name, time_ns, None, view, latency_ms=latency_ms)
        with timed(latency_ms, Stage.RECTIFY.value):
            refusal = check_sharpness(view)
        if refusal is not None:
            return FrameResult(name, time_ns, None, refusal, view=view, latency_ms=latency_ms)
        with timed(latency_ms, Stage.DESCRIBE.value):
            (description,) = self._describer.describe(view.picture[None])
        return Look(name, view, description, latency_ms)

    def find(self, look: Look, prior: Prior | None) -> FrameResult:
        """From the description to the fix."""
        latency_ms = dict(look.latency_ms)
        view, match = look.view, None
        centre_prior = self._of_the_centre(prior, view) if prior else None
        candidates: tuple[Candidate, ...] = ()
        outcome: Fix | Refusal
        try:
            with timed(latency_ms, Stage.RETRIEVE.value):
                k = CANDIDATES_WITH_PRIOR if centre_prior else CANDIDATES
                descriptor = look.description.descriptor
                candidates = retrieve(self._pack, view.level, descriptor, k, centre_prior)
            if candidates:
                outcome, match = self._match(look, candidates, prior, centre_prior, latency_ms)
            else:
                outcome = self._nothing_near(view, centre_prior)
        except InputError as e:  # the map was whole when it was opened
            outcome = Refusal(view.time_ns, Stage.RETRIEVE, Reason.MAP_UNREADABLE, str(e))
        return FrameResult(
            frame_name=look.name,
            time_ns=view.time_ns,
            fix=outcome if isinstance(outcome, Fix) else None,
            refusal=outcome if isinstance(outcome, Refusal) else None,
            view=view,
            match=match,
            candidates=candidates,
            latency_ms=latency_ms,
        )

    def _view(
        self,
        frame: Frame,
        attitude: Attitude | None,
        height: Height | None,
        at_lat_deg: float,
        level_before: int | None,
        relief: Relief | None,
        latency_ms: dict[str, float],
    ) -> View | Refusal:
        with timed(latency_ms, Stage.INPUT.value):
            refusal = check_picture(frame)
        if refusal is not None:
            return refusal
        if attitude is None:
            detail = "no attitude near the exposure"
            return Refusal(frame.time_ns, Stage.INPUT, Reason.NO_ATTITUDE, detail)
        if height is None:
            detail = "no height above ground near the exposure"
            return Refusal(frame.time_ns, Stage.INPUT, Reason.NO_HEIGHT, detail)
        with timed(latency_ms, Stage.RECTIFY.value):
            level = choose_level(
                self._pack.levels, height.agl_m, self._camera, at_lat_deg, level_before
            )
            return rectify(frame, attitude, height, self._camera, level, at_lat_deg, relief)

    def _match(
        self,
        look: Look,
        candidates: tuple[Candidate, ...],
        prior: Prior | None,
        centre_prior: Prior | None,
        latency_ms: dict[str, float],
    ) -> tuple[Fix | Refusal, Match | None]:
        network = self._describer.network
        with timed(latency_ms, Stage.RERANK.value):
            ranked = rerank(look.description, candidates, self._tiles, network)
        with timed(latency_ms, Stage.LOCATE.value):
            match = locate(
                look.view, look.description, ranked, self._tiles, self._describer.network
            )
        if isinstance(match, Refusal):
            return match, None
        with timed(latency_ms, Stage.GATE.value):
            refusal = gate(match, look.view, centre_prior)
        if refusal is not None:
            return refusal, match
        fix = vehicle_fix(
            match, look.view, self._direction_sigma_rad, self._map_sigma_m, self._reach(prior)
        )
        return fix, match

    def _reach(self, prior: Prior | None) -> Reach:
        """The vehicle is where the prior says, or else somewhere over the map."""
        if prior is None:
            south, west, north, east = self._pack.bounds
            across_m = distance_m(south, west, north, east)
            return lambda lat_deg, lon_deg: across_m
        return lambda lat_deg, lon_deg: (
            distance_m(prior.lat_deg, prior.lon_deg, lat_deg, lon_deg)
            + PROTECTION_SIGMAS * prior.sigma_m
        )

    def _of_the_centre(self, vehicle: Prior, view: View) -> Prior:
        """The prior speaks of the vehicle; the map is searched for the view's centre."""
        lat_deg, lon_deg = offset_latlon(
            vehicle.lat_deg, vehicle.lon_deg, -view.nadir_east_m, -view.nadir_north_m
        )
        offset_sigma_m = sigma(nadir_covariance(view, self._direction_sigma_rad))
        return Prior(lat_deg, lon_deg, float(np.hypot(vehicle.sigma_m, offset_sigma_m)))

    def _nothing_near(self, view: View, centre_prior: Prior | None) -> Refusal:
        if centre_prior is None:
            detail = f"the map has nothing to compare with at level {view.level}"
            return Refusal(view.time_ns, Stage.RETRIEVE, Reason.NO_CANDIDATE, detail)
        where = f"{centre_prior.lat_deg:.6f}, {centre_prior.lon_deg:.6f}"
        if self._pack.contains(centre_prior.lat_deg, centre_prior.lon_deg):
            detail = f"no tile at level {view.level} around {where}"
            return Refusal(view.time_ns, Stage.RETRIEVE, Reason.NO_CANDIDATE, detail)
        detail = f"the map does not reach to {where}"
        return Refusal(view.time_ns, Stage.RETRIEVE, Reason.OUTSIDE_MAP, detail)


@contextmanager
def timed(latency_ms: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the time spent inside to a stage's latency."""
    start_ns = time.perf_counter_ns()
    try:
        yield
    finally:
        spent_ms = (time.perf_counter_ns() - start_ns) * 1e-6
        latency_ms[stage] = latency_ms.get(stage, 0.0) + spent_ms
