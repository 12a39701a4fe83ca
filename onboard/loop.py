"""The navigator: handed time-ordered events, it answers with frame results and estimates.

Live flight feeds it from threads, replay from a log, the simulator from a renderer. It holds
no clock: the same events give the same output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from onboard.camera import Camera
from onboard.cameras.frozen import FrozenWatch
from onboard.describe import Describer
from onboard.errors import BackendError
from onboard.event_times import EventTimes
from onboard.flight_calibration import Corrections, Sight
from onboard.fusion import Fusion
from onboard.ground.doubtful_ground import DoubtfulGround
from onboard.ground.ground_below import Spread
from onboard.ground.height_above_terrain import Asked, height_above_terrain
from onboard.ground.relief import Relief
from onboard.height_doubt import HeightDoubt
from onboard.localize import Localizer, Look, timed
from onboard.messages import (
    Estimate,
    Event,
    Frame,
    FrameResult,
    GnssAssessment,
    HeightUsed,
    Motion,
    Prior,
    RecordedFrame,
    Refusal,
    View,
)
from onboard.motion import view_motion
from onboard.pack.map_pack import MapPack
from onboard.reasons import Mode, Reason, Stage
from onboard.second_look import find_again, ground_there
from onboard.telemetry import Telemetry
from onboard.telemetry_messages import AirData, Attitude, Height

MAX_MOTION_GAP_NS = 15_000_000_000  # views further apart hardly overlap: 150 m at 10 m/s

# What may become of a match that tells the height above ground; None: a fix.
TELL_HEIGHT = (
    None,
    Reason.SCALE_DISAGREES,
    Reason.INNOVATION_TOO_LARGE,
    Reason.UNCONFIRMED,
)


@dataclass(frozen=True)
class NavigatorSettings:
    """use_gnss: whether a good receiver starts the estimate and calibrates. own_receiver: the
    number under which the autopilot reports the position that Pilotage sends (GPS_INPUT with
    gps_id 1: 1), None when it doesn't. use_terrain: the map's, where it has some; a simulation
    over level ground has none."""

    use_gnss: bool = True
    own_receiver: int | None = None
    use_terrain: bool = True


@dataclass
class FrameWork:
    """A frame on its way through the navigator's steps. attitude is corrected, height from `look`
    on. asked: for the height above the map's terrain. ground: where it is in doubt; second_look:
    over it, with second_view as a recording keeps it, too. ground_found: where it was found."""

    frame: Frame | RecordedFrame
    attitude: Attitude | None = None
    height: Height | None = None
    corrections: Corrections = field(default_factory=Corrections)
    agl_sigma_m: float = 0.0
    at_lat_deg: float = 0.0
    level_before: int | None = None
    asked: Asked | None = None
    height_used: HeightUsed | None = None
    relief: Relief | None = None
    ground: DoubtfulGround | None = None
    prior: Prior | None = None
    look: Look | None = None
    second_look: Look | None = None
    second_view: View | None = None
    ground_found: Spread | None = None
    motion: Motion | None = None
    result: FrameResult | None = None


class Navigator:
    """One flight over one map pack.

    Live flight runs a frame's steps in the frame thread: `begin`, `take_motion` and `finish`
    under the caller's lock (they are quick, and touch what other events touch), `look` and
    `find` outside it (they take the network's time). `handle` runs all five in a row. A
    recording keeps the order of the steps among the other events; so replay is exact.
    """

    def __init__(
        self,
        pack: MapPack,
        describer: Describer,
        camera: Camera,
        settings: NavigatorSettings | None = None,
        doubts_gnss: Callable[[], bool] = lambda: False,
    ) -> None:
        """doubts_gnss: `takeover.Takeover.doubts_gnss`."""
        settings = settings or NavigatorSettings()
        self._network = describer.network
        self._localizer = Localizer(pack, describer, camera)
        self._terrain = height_above_terrain(pack) if settings.use_terrain else None
        self._telemetry = Telemetry(camera.attitude_delay_s, self._terrain is not None)
        direction_sigma_rad = math.radians(camera.mounting.sigma_deg)
        self._fusion = Fusion(
            pack.centre,
            direction_sigma_rad,
            settings.use_gnss,
            settings.own_receiver,
            doubts_gnss,
            pack.manifest.map_sigma_m,
            pack.index.fits_memory(),
        )
        self._times = EventTimes()
        self._map_lat_deg = pack.centre[0]
        self._height_doubt = HeightDoubt()
        self._frozen = FrozenWatch()
        self._previous: Look | None = None
        self._newest_frame_ns: int | None = None

    def handle(self, event: Event) -> FrameResult | None:
        """Takes an event in. A frame gives its result: a fix that the estimate took in, or
        the refusal; whatever is wrong with a frame, it is an answer and not an exception."""
        if isinstance(event, Frame | RecordedFrame):
            work = self.begin(event)
            self.look(work)
            self.take_motion(work)
            self.find(work)
            return self.finish(work)
        for admitted in self._times.admit(event):
            if isinstance(admitted, Attitude):
                self._telemetry.add_attitude(admitted)
            elif isinstance(admitted, Height):
                self._telemetry.add_height(admitted)
            elif isinstance(admitted, AirData):
                attitude = self._telemetry.attitude_at(admitted.time_ns)
                self._fusion.add_air(admitted, self._fusion.corrections.attitude(attitude))
            else:
                self._fusion.take(admitted)
                if self._terrain is not None:
                    self._terrain.hear(admitted)
        return None

    def begin(self, frame: Frame | RecordedFrame) -> FrameWork:
        """Quick: what was known at the exposure."""
        work = FrameWork(frame)
        refusal = self._check_time(frame)
        if refusal is not None:
            work.result = FrameResult(frame.name, frame.time_ns, None, refusal)
            return work
        self._newest_frame_ns = frame.time_ns
        prior = self._fusion.prior_at(frame.time_ns)
        work.height = self._telemetry.height_at(frame.time_ns)
        if self._terrain is not None and work.height is not None:
            doubt_m = self._telemetry.across_sources_m
            work.asked = self._terrain.ask(work.height, prior, doubt_m)
        work.corrections = self._fusion.corrections
        work.attitude = work.corrections.attitude(self._telemetry.attitude_at(frame.time_ns))
        work.at_lat_deg = prior.lat_deg if prior else self._map_lat_deg
        work.level_before = self._previous.view.level if self._previous else None
        return work

    def look(self, work: FrameWork) -> None:
        """Slow: height above the terrain, view, description, motion since the frame before."""
        if work.result is not None:
            return
        self._take_height(work)
        with _failure_refuses(work):
            if isinstance(work.frame, RecordedFrame):
                look = self._localizer.look_again(work.frame)
            elif refusal := self._frozen.check(work.frame):
                look = FrameResult(work.frame.name, work.frame.time_ns, None, refusal)
            else:
                look = self._localizer.look(
                    work.frame,
                    work.attitude,
                    work.height,
                    work.at_lat_deg,
                    work.level_before,
                    work.relief,
                )
            if isinstance(look, FrameResult):
                work.result = look
                return
            work.look = look
            with timed(look.latency_ms, "motion"):
                work.motion = self._motion_to(look)

    def take_motion(self, work: FrameWork) -> None:
        """Quick: the motion into the estimate, and from it where to search."""
        if work.result is not None or work.look is None:
            return
        self._fusion.add_exposure(work.look.view.time_ns, work.motion)
        self._previous = work.look
        work.prior = self._fusion.search_at(work.frame.time_ns)

    def find(self, work: FrameWork) -> None:
        """Slow: the map's answer."""
        if work.result is not None or work.look is None:
            return
        with _failure_refuses(work):
            work.result = self._localizer.find(work.look, work.prior)
            self._look_again(work)
            found = work.result
            if self._terrain is not None and found.match is not None and found.view is not None:
                work.ground_found = self._terrain.ground_at(found.match, found.view)

    def finish(self, work: FrameWork) -> FrameResult:
        """Quick: the fix into the estimate."""
        result = work.result
        assert result is not None
        if work.second_look is not None and result.fix is not None and work.look is self._previous:
            self._previous = work.second_look
        sight = _sight(work, result)
        if result.fix is not None and sight is not None:
            latency_ms = dict(result.latency_ms)
            with timed(latency_ms, Stage.FUSE.value):
                fix, refusal = self._fusion.add_fix(result.fix, sight, work.agl_sigma_m)
            if refusal is None:
                self._telemetry.trust_heights(result.time_ns)
            result = replace(result, fix=None if refusal else fix, refusal=refusal)
            result = replace(result, latency_ms=latency_ms)
        self._height_doubt.take(result, self._tell_terrain(work, result))
        if self._terrain is not None and work.height_used is not None:
            work.height_used = self._terrain.with_problem(work.height_used)
        estimate = self.estimate_at(work.frame.time_ns)
        return replace(result, estimate=estimate, height=work.height_used)

    @property
    def height_said(self) -> tuple[int, str] | None:
        """See `HeightDoubt`."""
        return self._height_doubt.said

    def _tell_terrain(self, work: FrameWork, result: FrameResult) -> float:
        """Of a match that was good, or would have been with another scale or from another place.
        Returns by how much that raised the height."""
        reason = result.refusal.reason if result.refusal else None
        if self._terrain is None or work.height_used is None or work.height is None:
            return 0.0
        if work.asked is None:
            return 0.0
        if result.view is None or result.match is None or work.ground_found is None:
            return 0.0
        if reason not in TELL_HEIGHT:
            return 0.0
        fits = reason is not Reason.SCALE_DISAGREES
        return self._terrain.hear_match(
            work.height_used,
            work.asked.told,
            work.height.amsl_m,
            result.view,
            result.match,
            work.ground_found,
            fits,
            self._fusion.prior_at(result.time_ns),
        )

    def estimate_at(self, time_ns: int) -> Estimate | None:
        """The position carried forward to time_ns; None while lost."""
        estimate = self._fusion.estimate_at(time_ns)
        height = self._telemetry.height_at(time_ns)
        if estimate is None or height is None or height.amsl_m is None:
            return estimate
        return replace(estimate, amsl_m=height.amsl_m, amsl_sigma_m=height.sigma_m)

    def gnss_at(self, now_ns: int) -> GnssAssessment:
        """What is held of GNSS."""
        return self._fusion.gnss_at(now_ns)

    def mode_at(self, time_ns: int) -> Mode:
        """What may be said about the position at time_ns."""
        return self._fusion.mode_at(time_ns)

    def _take_height(self, work: FrameWork) -> None:
        height = work.height
        if self._terrain is not None and work.asked is not None:
            height, work.height_used = self._terrain.answer(work.asked)
            work.relief = self._terrain.relief(work.asked.prior)
            work.ground = self._terrain.doubt(height, work.asked.prior)
        work.corrections = work.corrections.for_height(height)
        work.height = work.corrections.height(height)
        work.agl_sigma_m = height.sigma_m if height else 0.0

    def _look_again(self, work: FrameWork) -> None:
        """Over the ground where the frame was found, where that was in doubt. Without a view of it
        the first answer stands."""
        frame, first = work.frame, work.result
        assert first is not None
        there = ground_there(first, work.ground)
        if there is None:
            return
        if isinstance(frame, RecordedFrame):
            look = self._localizer.look_again(replace(frame, view=work.second_view))
        else:
            height = work.corrections.height(there.height)
            look = self._localizer.look(
                frame, work.attitude, height, work.at_lat_deg, relief=there.relief
            )
        if isinstance(look, FrameResult):
            return
        work.second_look, work.second_view = look, look.view
        work.agl_sigma_m = there.height.sigma_m
        if work.height_used is not None:
            work.height_used = replace(
                work.height_used,
                agl_m=there.height.agl_m,
                sigma_m=there.height.sigma_m,
                ground_amsl_m=there.amsl_m,
            )
        work.result = find_again(self._localizer, first, look, work.prior)

    def _motion_to(self, look: Look) -> Motion | None:
        previous = self._previous
        if previous is None or look.view.time_ns - previous.view.time_ns > MAX_MOTION_GAP_NS:
            return None
        return view_motion(
            (previous.view, previous.description), (look.view, look.description), self._network
        )

    def _check_time(self, frame: Frame | RecordedFrame) -> Refusal | None:
        newest_ns = self._newest_frame_ns
        if newest_ns is None or frame.time_ns > newest_ns:
            ahead_s = self._times.admit_frame(frame.time_ns)
            if ahead_s is None:
                return None
            detail = f"{ahead_s:.1f} s ahead of all else"
            return Refusal(frame.time_ns, Stage.INPUT, Reason.OUT_OF_ORDER, detail)
        if frame.time_ns == newest_ns:
            reason, detail = Reason.DUPLICATE_TIME, "a frame of this time was there already"
        else:
            behind_s = (newest_ns - frame.time_ns) * 1e-9
            reason, detail = Reason.OUT_OF_ORDER, f"{behind_s:.3f} s older than the newest frame"
        return Refusal(frame.time_ns, Stage.INPUT, reason, detail)


def _sight(work: FrameWork, result: FrameResult) -> Sight | None:
    if work.attitude is None or result.view is None or result.match is None:
        return None
    match = result.match
    return Sight(
        work.attitude.yaw, result.view.agl_m, match.rotation, match.scale, work.corrections
    )


@contextmanager
def _failure_refuses(work: FrameWork) -> Iterator[None]:
    """A device that fails in flight refuses the frame and not the flight."""
    try:
        yield
    except BackendError as e:
        frame = work.frame
        refusal = Refusal(frame.time_ns, Stage.DESCRIBE, Reason.INFERENCE_FAILED, str(e))
        work.result = FrameResult(frame.name, frame.time_ns, None, refusal)
