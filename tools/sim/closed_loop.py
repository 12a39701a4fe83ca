"""One scenario flown: the autopilot's truth becomes frames, the companion's answers steer it.

Everything happens at the autopilot's own clock: what the companion is told, when a frame is
exposed, when its fix acts, when a position is sent. The companion and its link are those that
fly; only the camera is rendered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from onboard.camera import Camera
from onboard.errors import InputError
from onboard.loop import FrameWork
from onboard.messages import Estimate, Event, Frame, GnssAssessment, Picture
from onboard.pack.map_pack import MapPack
from onboard.publish import PERIOD_NS
from onboard.telemetry_messages import Attitude, Height
from tools.run_record import FrameRecord, keep_frame
from tools.sim.companion_side import CompanionSide
from tools.sim.gnss_faults import GnssFaults
from tools.sim.ground_station import GroundStation, Truth
from tools.sim.lockstep import Lockstep, held
from tools.sim.scenario import FaultKind, Scenario

STALLED_S = 30.0  # of wall time without the autopilot's clock moving
WAIT_S = 0.002  # for the autopilot's next message
BLUR_PX = 21  # the smear of a shutter that hangs


@dataclass(frozen=True)
class Moment:
    """Everything that can be compared, at a tick."""

    time_ns: int
    truth: Truth
    believed: tuple[float, float] | None
    estimate: Estimate | None
    gnss: GnssAssessment
    flight_mode: str


@dataclass
class Flown:
    """A flight as it came out. texts: (autopilot's ns, text). start_ns: the take-off."""

    start_ns: int = 0
    moments: list[Moment] = field(default_factory=list)
    frames: list[FrameRecord] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    wall_s: float = 0.0


# Pose, share of the light left.
Render = Callable[[Truth, float], Picture]


@dataclass
class _InWork:
    begin_ns: int
    frame: Frame
    finish_ns: int
    number: int = 0
    work: FrameWork | None = None


class ClosedLoop:
    """Flies one scenario. The vehicle is in the air or about to be; the caller has armed it."""

    def __init__(
        self,
        scenario: Scenario,
        station: GroundStation,
        side: CompanionSide,
        render: Render,
        camera: Camera,
        pack: MapPack,
        lockstep: Lockstep,
    ) -> None:
        self._scenario = scenario
        self._station = station
        self._side = side
        self._render = render
        self._camera = camera
        self._pack = pack
        self._lockstep = lockstep
        self._faults = GnssFaults(station, scenario.faults)
        self._once_done: set[int] = set()
        self._in_work: deque[_InWork] = deque()
        self._last_picture: Picture | None = None
        self._next_frame_ns = 0
        self._next_tick_ns = 0
        self._moved_s = time.monotonic()
        self.flown = Flown()

    def step(self) -> None:
        """A little further. Raises InputError when the autopilot's clock stands still."""
        if self._step(self.at_s):
            self._moved_s = time.monotonic()
        elif time.monotonic() - self._moved_s > STALLED_S:
            raise InputError(
                f"the autopilot's clock stands still for {STALLED_S:.0f} s; is it alive?"
            )

    def start(self) -> None:
        """The scenario's time counts from now."""
        self.flown.start_ns = self._station.clock_ns

    def finish(self) -> None:
        """Leaves the simulated receiver healthy."""
        self._faults.heal()

    @property
    def at_s(self) -> float:
        start_ns = self.flown.start_ns
        return (self._station.clock_ns - start_ns) * 1e-9 if start_ns else 0.0

    def _step(self, at_s: float) -> bool:
        before_ns = self._station.clock_ns
        self._lockstep.advance()
        self._station.pump(wait_s=WAIT_S)
        now_ns = self._station.clock_ns
        for event in self._side.events():
            if (kept := self._faulty(event, at_s)) is not None:
                self._side.companion.handle(kept)
        self._faults.act(at_s, now_ns)
        self._act_once(at_s)
        if self._station.truth and now_ns >= self._next_frame_ns:
            self._next_frame_ns = now_ns + round(1e9 / self._scenario.camera.frame_hz)
            self._expose(at_s)
        self._work_on_frames(now_ns)
        if now_ns >= self._next_tick_ns:
            self._next_tick_ns += PERIOD_NS * ((now_ns - self._next_tick_ns) // PERIOD_NS + 1)
            self._tick(now_ns)
        del self._station.truth[:-1]
        return now_ns != before_ns

    def _expose(self, at_s: float) -> None:
        scenario = self._scenario
        if scenario.active(FaultKind.CAMERA_LOST, at_s):
            return
        truth = self._station.truth[-1]
        if scenario.active(FaultKind.CAMERA_FROZEN, at_s) and self._last_picture is not None:
            picture = self._last_picture
        else:
            dark = scenario.active(FaultKind.LOW_LIGHT, at_s)
            with held(self._lockstep):
                picture = self._render(truth, dark.amount if dark else 1.0)
            if scenario.active(FaultKind.CAMERA_BLURRED, at_s):
                picture = np.asarray(cv2.blur(picture, (BLUR_PX, BLUR_PX)), np.uint8)
        self._last_picture = picture
        begin_ns = truth.time_ns + round(scenario.camera.delay_s * 1e9)
        finish_ns = begin_ns + round(scenario.camera.work_s * 1e9)
        frame = Frame(truth.time_ns, picture, f"{at_s:08.2f}s")
        self._in_work.append(_InWork(begin_ns, frame, finish_ns))

    def _work_on_frames(self, now_ns: int) -> None:
        companion = self._side.companion
        for item in self._in_work:
            if item.work is None and now_ns >= item.begin_ns:
                with held(self._lockstep):
                    item.number, item.work = companion.begin(item.frame)
                    companion.navigator.look(item.work)
                    companion.take_motion(item.number, item.work)
                    companion.navigator.find(item.work)
        while self._in_work and now_ns >= self._in_work[0].finish_ns:
            item = self._in_work.popleft()
            if item.work is not None:
                result = companion.finish(item.number, item.work)
                self.flown.frames.append(keep_frame(result, self._pack))

    def _tick(self, now_ns: int) -> None:
        companion, station = self._side.companion, self._station
        companion.tick(now_ns)
        if not station.truth:
            return
        position = station.position
        believed = None
        if position is not None and station.ekf_has_position:
            believed = (position.lat * 1e-7, position.lon * 1e-7)
        self.flown.moments.append(
            Moment(
                now_ns,
                station.truth[-1],
                believed,
                companion.navigator.estimate_at(now_ns),
                companion.navigator.gnss_at(now_ns),
                station.mode,
            )
        )

    def _faulty(self, event: Event, at_s: float) -> Event | None:
        """What becomes of an event on its way to the companion."""
        wrong = self._scenario.active(FaultKind.WRONG_HEIGHT, at_s)
        if wrong and isinstance(event, Height):
            return replace(event, agl_m=event.agl_m + wrong.amount)
        if isinstance(event, Attitude) and self._scenario.active(FaultKind.NO_ATTITUDE, at_s):
            return None
        return event

    def _act_once(self, at_s: float) -> None:
        for number, fault in enumerate(self._scenario.faults):
            if number in self._once_done or at_s < fault.at_s:
                continue
            self._once_done.add(number)
            if fault.kind is FaultKind.COMPANION_RESTART:
                self._in_work.clear()
                self._side.restart()
            elif fault.kind is FaultKind.AUTOPILOT_REBOOT:
                self._station.reboot()
                self._station.connect_again()
                self._in_work.clear()
                self._moved_s = time.monotonic()
