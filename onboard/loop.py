"""The navigator: handed time-ordered events, it answers with frame results and estimates.

Live flight feeds it from threads, replay from a log, the simulator from a renderer. It holds
no clock: the same events give the same output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import BackendError
from onboard.fuse import Estimator
from onboard.localize import Localizer, Look, timed
from onboard.map_pack import MapPack
from onboard.messages import (
    Attitude,
    Estimate,
    Event,
    Frame,
    FrameResult,
    Gnss,
    Height,
    Refusal,
)
from onboard.motion import view_motion
from onboard.reasons import Mode, Reason, Stage
from onboard.telemetry import Telemetry

MAX_MOTION_GAP_NS = 15_000_000_000  # views further apart hardly overlap: 150 m at 10 m/s


@dataclass(frozen=True)
class NavigatorSettings:
    """use_gnss: whether a receiver's position counts while it has one."""

    use_gnss: bool = True


class Navigator:
    """One flight over one map pack. Not for several threads at once."""

    def __init__(
        self,
        pack: MapPack,
        describer: Describer,
        camera: Camera,
        settings: NavigatorSettings | None = None,
    ) -> None:
        self._settings = settings or NavigatorSettings()
        self._network = describer.network
        self._localizer = Localizer(pack, describer, camera)
        self._telemetry = Telemetry(camera.attitude_delay_s)
        self._estimator = Estimator(pack.centre)
        self._map_lat_deg = pack.centre[0]
        self._previous: Look | None = None
        self._newest_frame_ns: int | None = None

    def handle(self, event: Event) -> FrameResult | None:
        """Takes an event in. A Frame gives its result: a fix that the estimate took in, or
        the refusal; whatever is wrong with a frame, it is an answer and not an exception."""
        if isinstance(event, Frame):
            try:
                result = self._handle_frame(event)
            except BackendError as e:
                refusal = Refusal(event.time_ns, Stage.DESCRIBE, Reason.INFERENCE_FAILED, str(e))
                result = FrameResult(event.name, event.time_ns, None, refusal)
            return replace(result, estimate=self.estimate_at(event.time_ns))
        if isinstance(event, Attitude):
            self._telemetry.add_attitude(event)
        elif isinstance(event, Height):
            self._telemetry.add_height(event)
        elif isinstance(event, Gnss) and self._settings.use_gnss:
            self._estimator.add_gnss(event)
        return None

    def estimate_at(self, time_ns: int) -> Estimate | None:
        """The position carried forward to time_ns; None while lost."""
        estimate = self._estimator.estimate_at(time_ns)
        height = self._telemetry.height_at(time_ns)
        if estimate is None or height is None or height.amsl_m is None:
            return estimate
        return replace(estimate, amsl_m=height.amsl_m, amsl_sigma_m=height.sigma_m)

    def mode_at(self, time_ns: int) -> Mode:
        """What may be said about the position at time_ns."""
        return self._estimator.mode_at(time_ns)

    def _handle_frame(self, frame: Frame) -> FrameResult:
        refusal = self._check_time(frame)
        if refusal is not None:
            return FrameResult(frame.name, frame.time_ns, None, refusal)
        self._newest_frame_ns = frame.time_ns
        prior = self._estimator.prior_at(frame.time_ns)
        look = self._localizer.look(
            frame,
            self._telemetry.attitude_at(frame.time_ns),
            self._telemetry.height_at(frame.time_ns),
            prior.lat_deg if prior else self._map_lat_deg,
        )
        if isinstance(look, FrameResult):
            return look
        self._add_motion(look)
        result = self._localizer.find(look, self._estimator.prior_at(frame.time_ns))
        if result.fix is None:
            return result
        with timed(result.latency_ms, Stage.FUSE.value):
            refusal = self._estimator.add_fix(result.fix)
        return replace(result, fix=None, refusal=refusal) if refusal else result

    def _add_motion(self, look: Look) -> None:
        with timed(look.latency_ms, "motion"):
            motion, previous = None, self._previous
            if previous and look.view.time_ns - previous.view.time_ns <= MAX_MOTION_GAP_NS:
                motion = view_motion(
                    (previous.view, previous.description),
                    (look.view, look.description),
                    self._network,
                )
            self._estimator.add_exposure(look.view.time_ns, motion)
        self._previous = look

    def _check_time(self, frame: Frame) -> Refusal | None:
        newest_ns = self._newest_frame_ns
        if newest_ns is None or frame.time_ns > newest_ns:
            return None
        if frame.time_ns == newest_ns:
            reason, detail = Reason.DUPLICATE_TIME, "a frame of this time was there already"
        else:
            behind_s = (newest_ns - frame.time_ns) * 1e-9
            reason, detail = Reason.OUT_OF_ORDER, f"{behind_s:.3f} s older than the newest frame"
        return Refusal(frame.time_ns, Stage.INPUT, reason, detail)
