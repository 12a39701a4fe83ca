"""What GNSS is worth at any moment: what its receivers report of themselves, what the autopilot
says of them, and whether they agree with the ground.

A receiver becomes worse at once, as its evidence says (the evidence has its own patience), and
better only after a hold: a jammed one has a fix now and then, a spoofed one looks perfect.
Spoofed by the ground's evidence it stays until the ground agrees with it again.

Several receivers: one that is good is good enough, but one that is jammed or spoofed beside
it makes GNSS degraded, as an autopilot may choose it. Pilotage's own position, which comes
back as a receiver's, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from onboard.gnss.drag_off import DragOff
from onboard.gnss.gnss_evidence import AutopilotEvidence, Evidence
from onboard.gnss.gnss_receiver import ReceiverReports
from onboard.messages import Event, Floats, GnssAssessment
from onboard.reasons import GnssState
from onboard.telemetry_messages import Gnss, ParameterValue

SEVERITY = {
    GnssState.GOOD: 0,
    GnssState.UNKNOWN: 1,  # a first good report is not believed at once
    GnssState.DEGRADED: 1,
    GnssState.LOST: 2,
    GnssState.JAMMED: 3,
    GnssState.SPOOFED: 4,
}
# How long the evidence must stay below a state before that is left. A re-acquisition under
# jamming lasted seconds; a spoofer may let go for a moment.
HOLD_NS = {
    GnssState.UNKNOWN: 1_000_000_000,
    GnssState.GOOD: 0,
    GnssState.DEGRADED: 3_000_000_000,
    GnssState.LOST: 3_000_000_000,
    GnssState.JAMMED: 10_000_000_000,
    GnssState.SPOOFED: 30_000_000_000,
}
MAX_APART_D2 = 25.0  # squared sigmas from the estimate (5 sigma): something is amiss
APART_NS = 2_000_000_000  # for so long: a report or two may be late
USUAL_SPEED_M_S = 12.0  # of a vehicle whose receiver tells none
MAVLINK_GPS_TYPE = 14.0  # GPSx_TYPE of a receiver fed by GPS_INPUT


class _Receiver:
    """One receiver: its reports, the comparison with the ground, the state with its hold."""

    def __init__(self, origin: tuple[float, float]) -> None:
        self.reports = ReceiverReports(origin)
        self.drag_off = DragOff()
        self.state, self.since_ns = GnssState.UNKNOWN, 0
        self.evidence: tuple[str, ...] = ()
        self._below_ns: int | None = None
        self._below = GnssState.GOOD
        self._apart_ns: int | None = None
        self._apart_sigmas = 0.0

    def add(self, gnss: Gnss, apart_d2: float | None) -> None:
        self.reports.add(gnss)
        if apart_d2 is None or not apart_d2 > MAX_APART_D2:
            self._apart_ns = None
            return
        self._apart_sigmas = float(np.sqrt(apart_d2))
        if self._apart_ns is None:
            self._apart_ns = gnss.time_ns

    def judge(self, now_ns: int, told: list[Evidence]) -> None:
        """told: what others say of it. Takes the state as of now."""
        if self.reports.newest is None:
            return
        found = [*self.reports.evidence(now_ns), *told, *self._against_the_ground(now_ns)]
        worst = max((e.state for e in found), key=SEVERITY.__getitem__, default=GnssState.GOOD)
        self.evidence = tuple(e.text for e in found)
        if SEVERITY[worst] >= SEVERITY[self.state]:
            self._enter(worst, now_ns)
        else:
            self._recover(worst, now_ns)

    @property
    def is_steady(self) -> bool:
        """Whether its positions mean anything: not while it is jammed, until it recovers."""
        hostile = self.state in (GnssState.LOST, GnssState.JAMMED)
        return not hostile or self._below_ns is not None

    def _recover(self, worst: GnssState, now_ns: int) -> None:
        if self._below_ns is None:
            self._below_ns, self._below = now_ns, worst
        self._below = max(self._below, worst, key=SEVERITY.__getitem__)
        waited_ns = now_ns - self._below_ns
        if waited_ns >= HOLD_NS[self.state]:
            if self.state is GnssState.SPOOFED:
                self.drag_off.believe()
            self._enter(self._below, now_ns)
        elif worst is GnssState.GOOD:
            hold_s = HOLD_NS[self.state] * 1e-9
            self.evidence = (f"steady for {waited_ns * 1e-9:.1f} s of {hold_s:.0f}",)

    def _enter(self, state: GnssState, now_ns: int) -> None:
        self._below_ns = None
        if state is not self.state:
            self.state, self.since_ns = state, now_ns

    def _against_the_ground(self, now_ns: int) -> Iterator[Evidence]:
        suspicion = self.drag_off.suspicion
        if self.drag_off.alarmed:
            apart_m = self.drag_off.apart_m
            if not self.drag_off.agrees(now_ns):
                text = f"{apart_m:.0f} m from where the ground says"
                yield Evidence(GnssState.SPOOFED, text)
            elif self.state is not GnssState.SPOOFED:
                yield Evidence(GnssState.SPOOFED, "was led away from the ground")
        elif suspicion is not None and suspicion.suspicious:
            text = f"may be {suspicion.displaced_m:.0f} m from where the ground says"
            yield Evidence(GnssState.DEGRADED, text)
        if self._apart_ns is not None and now_ns - self._apart_ns >= APART_NS:
            text = f"{self._apart_sigmas:.0f} sigma from the estimate"
            yield Evidence(GnssState.DEGRADED, text)


class GnssWatch:
    """Handed every report in order of time; answers what is held of GNSS."""

    def __init__(self, origin: tuple[float, float], own_receiver: int | None = None) -> None:
        """origin: (lat_deg, lon_deg) of the local metres. own_receiver: the number under which
        the autopilot reports what Pilotage sends; also told by its GPSx_TYPE parameters."""
        self._origin = origin
        self._own = set() if own_receiver is None else {own_receiver}
        self._receivers: dict[int, _Receiver] = {}
        self._autopilot = AutopilotEvidence()
        self._state, self._since_ns = GnssState.UNKNOWN, 0

    def hear(self, event: Event) -> None:
        """What is no position: EkfStatus, SensorHealth, GnssIntegrity, VehicleState,
        ParameterValue; others are left out."""
        if isinstance(event, ParameterValue):
            for number, name in enumerate(("GPS1_TYPE", "GPS2_TYPE")):
                if event.name in (name, name.replace("1", "")) and event.value == MAVLINK_GPS_TYPE:
                    self._own.add(number)
                    self._receivers.pop(number, None)
        self._autopilot.hear(event)

    def add_gnss(self, gnss: Gnss, apart_d2: float | None = None) -> GnssState:
        """apart_d2: squared Mahalanobis distance from an estimate that is not GNSS's own, None
        without one. Returns what is held of this receiver: UNKNOWN of Pilotage's own."""
        if gnss.receiver in self._own:
            return GnssState.UNKNOWN
        receiver = self._receivers.setdefault(gnss.receiver, _Receiver(self._origin))
        receiver.add(gnss, apart_d2)
        receiver.judge(gnss.time_ns, self._evidence(gnss.receiver, gnss.time_ns))
        return receiver.state

    def _evidence(self, receiver: int, now_ns: int) -> list[Evidence]:
        return self._autopilot.evidence(receiver, now_ns, bool(self._own))

    def good_places(self, time_ns: int) -> list[tuple[int, Floats, float]]:
        """(number, east-north m, sigma m) of each good and unsuspected receiver at time_ns."""
        found = []
        for number, receiver in sorted(self._receivers.items()):
            place, newest = receiver.reports.place_at(time_ns), receiver.reports.newest
            if receiver.state is not GnssState.GOOD or receiver.drag_off.suspects:
                continue
            if place is not None and newest is not None:
                found.append((number, place, newest.sigma_m))
        return found

    def compare(self, time_ns: int, place: Floats, noise_m2: float, wander_m2: float) -> int | None:
        """An accepted fix: place (2,) east-north m; variances as `DragOff.compare` takes them.
        Returns since when a receiver leads away, where this fix made that certain."""
        onsets = []
        for receiver in self._receivers.values():
            there, newest = receiver.reports.place_at(time_ns), receiver.reports.newest
            if there is None or newest is None or not receiver.is_steady:
                continue
            drag_off, alarmed = receiver.drag_off, receiver.drag_off.alarmed
            speed_m_s = _speed(newest)
            stays_m2 = wander_m2 + newest.sigma_m**2
            drag_off.compare(time_ns, there - place, noise_m2, stays_m2, speed_m_s)
            if drag_off.alarmed and not alarmed and drag_off.suspicion is not None:
                onsets.append(drag_off.suspicion.onset_ns)
            if not drag_off.alarmed and drag_off.agrees(time_ns):
                receiver.reports.forgive()
        return min(onsets, default=None)

    def assess(self, now_ns: int) -> GnssAssessment:
        """What is held at now_ns of all receivers together."""
        for number, receiver in self._receivers.items():
            receiver.judge(now_ns, self._evidence(number, now_ns))
        state = _together([r.state for r in self._receivers.values()])
        if state is not self._state:
            self._state, self._since_ns = state, now_ns
        several = len(self._receivers) > 1
        evidence = tuple(
            f"receiver {number + 1}: {text}" if several else text
            for number, receiver in sorted(self._receivers.items())
            for text in receiver.evidence
        )
        return GnssAssessment(now_ns, self._state, self._since_ns, evidence)


def _speed(gnss: Gnss) -> float:
    east_m_s, north_m_s = gnss.velocity_east_m_s, gnss.velocity_north_m_s
    if east_m_s is None or north_m_s is None:
        return USUAL_SPEED_M_S
    speed_m_s = math.hypot(east_m_s, north_m_s)
    return speed_m_s if math.isfinite(speed_m_s) else USUAL_SPEED_M_S


def _together(states: list[GnssState]) -> GnssState:
    known = [s for s in states if s is not GnssState.UNKNOWN]
    if not known:
        return GnssState.UNKNOWN
    if GnssState.GOOD in known:
        hostile = GnssState.JAMMED in known or GnssState.SPOOFED in known
        return GnssState.DEGRADED if hostile else GnssState.GOOD
    with_fix = [s for s in known if s is not GnssState.LOST]
    return max(with_fix, key=SEVERITY.__getitem__, default=GnssState.LOST)
