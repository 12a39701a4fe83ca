"""GNSS faults as the parameters of ArduPilot's simulated receiver."""

from __future__ import annotations

import math

from onboard.errors import InputError
from onboard.geodesy import offset_latlon
from tools.sim.ground_station import GroundStation
from tools.sim.scenario import Fault, FaultKind

# Of 4.7; 4.6 calls them otherwise. The pairs are name and the value that means trouble.
NAMES = {
    FaultKind.GNSS_OFF: (("SIM_GPS1_ENABLE", 0.0), ("SIM_GPS_DISABLE", 1.0)),
    FaultKind.GNSS_SILENT: (("SIM_GPS1_TYPE", 0.0), ("SIM_GPS_TYPE", 0.0)),
    FaultKind.GNSS_JAM: (("SIM_GPS1_JAM", 1.0), ("SIM_GPS_JAM", 1.0)),
}
GLITCH_NAMES = (
    ("SIM_GPS1_GLTCH_X", "SIM_GPS1_GLTCH_Y"),
    ("SIM_GPS_GLITCH_X", "SIM_GPS_GLITCH_Y"),
)  # degrees of latitude, longitude
DRIFT_STEP_NS = 200_000_000  # a drift moves in steps of this: the receiver's own rate


class GnssFaults:
    """Sets, moves and takes back the faults of a scenario at their times."""

    def __init__(self, station: GroundStation, faults: tuple[Fault, ...]) -> None:
        self._station = station
        self._faults = [f for f in faults if f.kind.value.startswith("gnss_")]
        self._healthy = {fault: self._parameters(fault) for fault in self._faults}
        self._begun: set[Fault] = set()
        self._ended: set[Fault] = set()
        self._moved_ns: dict[Fault, int] = {}

    def act(self, at_s: float, now_ns: int) -> None:
        """Called often; at_s: the scenario's time."""
        for fault in self._faults:
            if fault in self._ended or at_s < fault.at_s:
                continue
            if at_s >= fault.until_s:
                self._end(fault)
            elif not self._station.truth:
                continue  # one from before the take-off on waits until the simulation speaks
            elif fault not in self._begun:
                self._begin(fault)
            elif fault.kind is FaultKind.GNSS_DRIFT:
                self._drift(fault, at_s - fault.at_s, now_ns)

    def heal(self) -> None:
        """Takes all back at once: parameters outlive the autopilot's restart."""
        for fault in self._begun:
            self._end(fault)

    def _parameters(self, fault: Fault) -> dict[str, float]:
        """Those that the fault changes, with their values now."""
        choices: list[tuple[str, ...]] = list(GLITCH_NAMES)
        if fault.kind in NAMES:
            choices = [(name,) for name, _ in NAMES[fault.kind]]
        for names in choices:
            values = {name: self._station.parameter(name) for name in names}
            known = {name: value for name, value in values.items() if value is not None}
            if len(known) == len(names):
                return known
        raise InputError(
            f"the autopilot has no parameter {choices[0][0]}, which fault {fault.kind.value} "
            "needs; give ArduPilot's SITL, 4.6 or newer"
        )

    def _begin(self, fault: Fault) -> None:
        self._begun.add(fault)
        if fault.kind is FaultKind.GNSS_JUMP:
            self._move(fault, fault.amount)
        bad = dict(NAMES.get(fault.kind, ()))
        for name in self._healthy[fault]:
            if name in bad:
                self._station.set_parameter(name, bad[name], wait=False)

    def _drift(self, fault: Fault, since_s: float, now_ns: int) -> None:
        if now_ns - self._moved_ns.get(fault, 0) >= DRIFT_STEP_NS:
            self._moved_ns[fault] = now_ns
            self._move(fault, fault.amount * since_s)

    def _move(self, fault: Fault, distance_m: float) -> None:
        truth = self._station.truth[-1]
        towards = math.radians(fault.towards_deg)
        east_m, north_m = distance_m * math.sin(towards), distance_m * math.cos(towards)
        moved = offset_latlon(truth.lat_deg, truth.lon_deg, east_m, north_m)
        by = (moved[0] - truth.lat_deg, moved[1] - truth.lon_deg)
        for name, value in zip(self._healthy[fault], by, strict=True):
            self._station.set_parameter(name, value, wait=False)

    def _end(self, fault: Fault) -> None:
        self._ended.add(fault)
        for name, value in self._healthy[fault].items():
            self._station.set_parameter(name, value, wait=False)
