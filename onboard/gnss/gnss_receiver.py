"""One receiver's own reports, and what in them is amiss.

Seen on a real ArduPilot: a loss is told by fix type and satellites within 0.3 s; a silent
receiver sends nothing, long before the autopilot minds; a jammed one comes and goes, with
accuracies of up to 268 m; a false position steps, or moves otherwise than its velocity.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from onboard.geodesy import enu_offset_m
from onboard.gnss.gnss_evidence import Evidence
from onboard.messages import Floats
from onboard.reasons import GnssState
from onboard.telemetry_messages import Gnss

NO_POSITION_DEG = 1e-6  # latitude and longitude both this near 0: a receiver without a fix
MAX_SIGMA_M = 100.0  # a worse one is no position: its gate would span a square kilometre
SILENT_S = 1.0  # five reports of a 5 Hz stream; the autopilot itself waits 4 s
SILENT_INTERVALS, MAX_SILENT_S = (
    3.0,
    100.0,
)  # of a slower stream; photographs are half a minute apart
MIN_SATELLITES = 6  # what ArduPilot arms with
SATELLITE_SHARE = 0.6  # of the usual number; a drop below is no passing tree
DEGRADED_SIGMA_M = 10.0
SIGMA_GROWTH, MIN_GROWN_SIGMA_M = 3.0, 5.0  # against the usual accuracy
FLICKER_LOSSES, FLICKER_NS = 2, 20_000_000_000  # fixes lost within: comes and goes
JAMMED_SIGMA_M, JAMMED_BACK_S = 15.0, 8.0  # of a fix that comes back so soon after its loss
JUMP_M = 3.0  # a step of 5 m at 5 Hz must be seen; good receivers step by decimetres
JUMP_RMS = 6.0  # times the usual step, where a receiver is that noisy
MAX_USUAL_STEP_M = 1.0  # a jammed one would get used to anything
TURN_M_S2 = 10.0  # acceleration between two reports
MAX_STEP_S = 1.5  # reports further apart are not compared
JITTER_S = 0.1  # by which times of reports err at least; along the way it looks like a step
JUMP_HOLD_NS = 10_000_000_000  # the autopilot takes a step in after 10 s
# A step that was not taken back is doubted for as long as the estimate may coast.
UNEXPLAINED_NS = 60_000_000_000
MAX_SPEED_M_S = 60.0  # of a vehicle whose receiver tells no velocity
DRIFT_NS, DRIFT_M = 10_000_000_000, 6.0  # position against velocity: 0.6 m/s
USUAL_S, WORSE_USUAL_S = 30.0, 300.0  # time constants of what is usual; what is worse may become so
KEPT_NS = 40_000_000_000


def is_position(gnss: Gnss) -> bool:
    """A receiver's fix on Earth, not the 0/0 of one without, of a usable accuracy."""
    at_zero = max(abs(gnss.lat_deg), abs(gnss.lon_deg)) < NO_POSITION_DEG
    on_earth = abs(gnss.lat_deg) <= 90.0 and abs(gnss.lon_deg) <= 180.0
    return gnss.has_fix and on_earth and not at_zero and 0.0 < gnss.sigma_m <= MAX_SIGMA_M


@dataclass(frozen=True)
class _Report:
    """place and velocity: east, north. moved_m: position less integrated velocity, summed."""

    gnss: Gnss
    place: Floats | None
    velocity: Floats | None
    apart_m: Floats


class ReceiverReports:
    """Handed one receiver's reports in order of time; an older one is left out."""

    def __init__(self, origin: tuple[float, float]) -> None:
        """origin: (lat_deg, lon_deg) of the local metres, near the flight."""
        self._origin = origin
        self._reports: deque[_Report] = deque()
        self._lost_ns: deque[int] = deque()
        self._interval_s: float | None = None
        self._usual_satellites: float | None = None
        self._usual_sigma_m: float | None = None
        self._step_rms_m = 0.0
        self._jumped: tuple[int, float] | None = None
        self._unexplained: Floats = np.zeros(2)

    @property
    def newest(self) -> Gnss | None:
        return self._reports[-1].gnss if self._reports else None

    def add(self, gnss: Gnss) -> None:
        place = self._place(gnss) if is_position(gnss) else None
        velocity = _velocity(gnss)
        before = self._reports[-1] if self._reports else None
        if before is None:
            self._reports.append(_Report(gnss, place, velocity, np.zeros(2)))
            return
        dt = (gnss.time_ns - before.gnss.time_ns) * 1e-9
        if dt <= 0.0:
            if gnss.has_fix or not before.gnss.has_fix:
                return
            # A loss may be told with the time of the last fix; it counts in any case.
            gnss, dt = replace(gnss, time_ns=before.gnss.time_ns + 1), 1e-9
        self._interval_s = dt if self._interval_s is None else self._interval_s
        if before.gnss.has_fix and not gnss.has_fix and dt <= MAX_STEP_S:
            self._lost_ns.append(gnss.time_ns)
        apart = before.apart_m
        if place is not None and before.place is not None and dt <= MAX_STEP_S:
            apart = apart + self._step(before, place, velocity, dt, gnss)
        self._reports.append(_Report(gnss, place, velocity, apart))
        self._interval_s += 0.2 * (min(dt, MAX_SILENT_S) - self._interval_s)
        if place is not None:
            self._learn(gnss, dt)
        while self._reports[0].gnss.time_ns < gnss.time_ns - KEPT_NS:
            self._reports.popleft()
        while self._lost_ns and self._lost_ns[0] < gnss.time_ns - FLICKER_NS:
            self._lost_ns.popleft()

    def forgive(self) -> None:
        """The position was seen to be right: what it jumped is explained."""
        self._unexplained = np.zeros(2)

    def place_at(self, time_ns: int) -> Floats | None:
        """(2,) east, north between the two reports around time_ns, or at the newest carried on
        for as long as reports are apart; None without."""
        after = None
        for report in reversed(self._reports):
            if report.gnss.time_ns <= time_ns:
                return _between(report, after, time_ns)
            after = report
        return None

    def evidence(self, now_ns: int) -> list[Evidence]:
        """What speaks against the receiver at now_ns, nothing where all is well."""
        if not self._reports:
            return []
        newest = self._reports[-1]
        gnss = newest.gnss
        silent_s = (now_ns - gnss.time_ns) * 1e-9
        interval_s = MAX_SILENT_S if self._interval_s is None else self._interval_s
        if silent_s > min(MAX_SILENT_S, max(SILENT_S, SILENT_INTERVALS * interval_s)):
            return [Evidence(GnssState.LOST, f"silent for {silent_s:.1f} s")]
        flickers = len(self._lost_ns)
        if newest.place is None or gnss.sigma_m > JAMMED_SIGMA_M:
            if flickers >= FLICKER_LOSSES:
                text = f"lost its fix {flickers} times in {FLICKER_NS // 10**9} s"
                return [Evidence(GnssState.JAMMED, text)]
            ago_s = (gnss.time_ns - self._lost_ns[-1]) * 1e-9 if flickers else math.inf
            if gnss.has_fix and ago_s <= JAMMED_BACK_S:
                text = f"good to {gnss.sigma_m:.0f} m only, {ago_s:.1f} s after it had no fix"
                return [Evidence(GnssState.JAMMED, text)]
        if newest.place is None:
            return [Evidence(GnssState.LOST, _no_fix(gnss))]
        return [*self._weaknesses(gnss), *self._movements(newest, now_ns)]

    def _weaknesses(self, gnss: Gnss) -> list[Evidence]:
        found = []
        usual_m, usual = self._usual_sigma_m or gnss.sigma_m, self._usual_satellites
        grown = gnss.sigma_m > max(MIN_GROWN_SIGMA_M, SIGMA_GROWTH * usual_m)
        if grown or gnss.sigma_m > DEGRADED_SIGMA_M:
            found.append(f"good to {gnss.sigma_m:.0f} m only, usual are {usual_m:.0f} m")
        needed = max(MIN_SATELLITES, SATELLITE_SHARE * (usual or 0.0))
        if gnss.satellites is not None and gnss.satellites < needed:
            found.append(f"{gnss.satellites} satellites of {max(needed, usual or 0.0):.0f}")
        return [Evidence(GnssState.DEGRADED, text) for text in found]

    def _movements(self, newest: _Report, now_ns: int) -> list[Evidence]:
        found = []
        if self._jumped is not None:
            jumped_ns, jump_m = self._jumped
            ago_ns = now_ns - jumped_ns
            stays = float(np.hypot(*self._unexplained)) > 2 * JUMP_M
            if ago_ns <= (UNEXPLAINED_NS if stays else JUMP_HOLD_NS):
                text = f"jumped {jump_m:.0f} m against its velocity {ago_ns * 1e-9:.0f} s ago"
                found.append(Evidence(GnssState.DEGRADED, text))
        start_ns = newest.gnss.time_ns - DRIFT_NS
        first = next(r for r in self._reports if r.gnss.time_ns >= start_ns)
        drift_m = float(np.hypot(*(newest.apart_m - first.apart_m)))
        speed = 0.0 if newest.velocity is None else float(np.hypot(*newest.velocity))
        if drift_m > DRIFT_M + JUMP_RMS * self._step_rms_m + speed * JITTER_S:
            text = f"moved {drift_m:.0f} m in {DRIFT_NS // 10**9} s otherwise than its velocity"
            found.append(Evidence(GnssState.DEGRADED, text))
        return found

    def _step(
        self, before: _Report, place: Floats, velocity: Floats | None, dt: float, gnss: Gnss
    ) -> Floats:
        """(2,) how far the receiver moved otherwise than its velocity; zero without one, and
        where it jumped."""
        assert before.place is not None
        step: Floats = place - before.place
        known = velocity is not None and before.velocity is not None
        allowed_m = max(JUMP_M, JUMP_RMS * self._step_rms_m)
        if velocity is not None and before.velocity is not None:
            step = step - (velocity + before.velocity) / 2 * dt
            allowed_m += TURN_M_S2 / 2 * dt**2 + 3.0 * (gnss.velocity_sigma_m_s or 0.0) * dt
        else:
            allowed_m += MAX_SPEED_M_S * dt
        step_m = float(np.hypot(*step))
        late_s = JITTER_S + abs(dt - (self._interval_s or dt))
        if _beyond_jitter_m(step, velocity, late_s) > allowed_m:
            self._jumped = gnss.time_ns, step_m
            self._unexplained = self._unexplained + step
            return np.zeros(2)
        if not known:
            return np.zeros(2)
        share = min(1.0, dt / USUAL_S)
        usual_m = min(step_m, MAX_USUAL_STEP_M)
        self._step_rms_m = math.sqrt((1 - share) * self._step_rms_m**2 + share * usual_m**2)
        return step

    def _learn(self, gnss: Gnss, dt: float) -> None:
        share = min(1.0, dt / (WORSE_USUAL_S if self._weaknesses(gnss) else USUAL_S))
        if self._usual_sigma_m is None:
            self._usual_sigma_m = gnss.sigma_m
        self._usual_sigma_m += share * (gnss.sigma_m - self._usual_sigma_m)
        if gnss.satellites is not None:
            usual = self._usual_satellites
            usual = float(gnss.satellites) if usual is None else usual
            self._usual_satellites = usual + share * (gnss.satellites - usual)

    def _place(self, gnss: Gnss) -> Floats:
        return np.array(enu_offset_m(*self._origin, gnss.lat_deg, gnss.lon_deg), np.float64)


def _velocity(gnss: Gnss) -> Floats | None:
    if gnss.velocity_east_m_s is None or gnss.velocity_north_m_s is None:
        return None
    velocity = np.array([gnss.velocity_east_m_s, gnss.velocity_north_m_s], np.float64)
    return velocity if np.isfinite(velocity).all() else None


def _between(report: _Report, after: _Report | None, time_ns: int) -> Floats | None:
    dt = (time_ns - report.gnss.time_ns) * 1e-9
    if report.place is None or dt > MAX_STEP_S:
        return None
    if after is not None and after.place is not None:
        share = dt / ((after.gnss.time_ns - report.gnss.time_ns) * 1e-9)
        between: Floats = report.place + share * (after.place - report.place)
        return between
    if report.velocity is None:
        return report.place if dt == 0.0 else None
    carried: Floats = report.place + dt * report.velocity
    return carried


def _beyond_jitter_m(step: Floats, velocity: Floats | None, late_s: float) -> float:
    """The step without what a report late_s late or early makes of the velocity."""
    speed = 0.0 if velocity is None else float(np.hypot(*velocity))
    if velocity is None or speed == 0.0:
        return float(np.hypot(*step))
    ahead = velocity / speed
    along, across = float(ahead @ step), float(ahead[0] * step[1] - ahead[1] * step[0])
    return math.hypot(max(0.0, abs(along) - speed * late_s), across)


def _no_fix(gnss: Gnss) -> str:
    if gnss.has_fix:
        return f"no usable position (good to {gnss.sigma_m:.0f} m)"
    seen = "" if gnss.satellites is None else f", {gnss.satellites} satellites"
    return f"no fix (type {gnss.fix_type}{seen})"
