"""A ground station's or companion's log of MAVLink (.tlog), decoded as in flight.

The log's clock is the recorder's: Unix time. What the autopilot measured is placed on it by
its own clock since boot, as in flight, so that a slow radio does not smear attitudes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from onboard.autopilot.decode import Decoder
from onboard.autopilot.timesync import TimeSync
from onboard.errors import InputError
from onboard.messages import Event
from onboard.telemetry_messages import ParameterValue
from tools.logs.quiet import quiet, said
from tools.logs.recorded_log import RecordedLog, Trigger, made_log

os.environ["MAVLINK20"] = "1"  # pymavlink reads it on import
from pymavlink import mavutil

AUTOPILOT = 1  # its component id
CAMERAS = range(100, 106)  # MAV_COMP_ID_CAMERA to CAMERA6
# Best first, with the field that numbers the pictures: #180, #263, #112.
TRIGGERS = {
    "CAMERA_FEEDBACK": "img_idx",
    "CAMERA_IMAGE_CAPTURED": "image_index",
    "CAMERA_TRIGGER": "seq",
}
UNIX_NS = 10**18  # in 2001; larger times count in Unix time, not from boot
MAX_LATE_NS = 60_000_000_000  # a note of a picture that comes later by this is of another boot
MOST_DAMAGED = 1000  # messages, then the rest is given up


def read_tlog(path: Path) -> RecordedLog:
    """Of the first autopilot that speaks. Raises InputError: not such a log, nothing of use."""
    clock = TimeSync()
    decoder = Decoder(clock)
    events: list[Event] = []
    triggers = _Triggers(clock)
    vehicle: int | None = None
    damaged = 0
    with quiet():
        try:
            reader: Any = mavutil.mavlogfile(str(path))
        except Exception as e:  # pymavlink raises whatever comes
            raise InputError(f"{path}: cannot be read ({said(e)}); give a .tlog file") from e
        while damaged <= MOST_DAMAGED:
            try:
                m = reader.recv_msg()
            except Exception:
                damaged += 1
                continue
            if m is None:
                break
            component = m.get_srcComponent()
            from_camera = component in CAMERAS and m.get_type() in TRIGGERS
            if m.get_type() == "BAD_DATA" or not (component == AUTOPILOT or from_camera):
                continue
            if vehicle is None and m.get_type() == "HEARTBEAT":
                vehicle = m.get_srcSystem()
            if m.get_srcSystem() != vehicle:
                continue
            arrival_ns = round(m._timestamp * 1e6) * 1000
            triggers.hear(m, arrival_ns)
            if not from_camera:
                events += decoder.decode(m, arrival_ns)
    events = [e for e in events if not isinstance(e, ParameterValue)]
    return made_log(path, events, triggers.best, 0, damaged)


class _Triggers:
    """Notes of pictures taken: of one kind only, as a camera often causes several."""

    def __init__(self, clock: TimeSync) -> None:
        self._clock = clock
        self._of_kind: dict[str, dict[tuple[int, int], Trigger]] = {kind: {} for kind in TRIGGERS}
        self._unix_minus_boot_ns: int | None = None

    @property
    def best(self) -> list[Trigger]:
        return next((list(seen.values()) for seen in self._of_kind.values() if seen), [])

    def hear(self, m: Any, arrival_ns: int) -> None:
        """Doubles of one picture, sent over several links, count once."""
        kind = m.get_type()
        if kind == "SYSTEM_TIME" and m.time_unix_usec:
            self._unix_minus_boot_ns = int(m.time_unix_usec) * 1000 - int(m.time_boot_ms) * 10**6
        elif kind in TRIGGERS:
            stamp = m.time_boot_ms if kind == "CAMERA_IMAGE_CAPTURED" else m.time_usec
            which = int(getattr(m, TRIGGERS[kind])), int(stamp)
            lat, lon = getattr(m, "lat", 0), getattr(m, "lng", getattr(m, "lon", 0))
            place = (lat * 1e-7, lon * 1e-7) if lat or lon else (None, None)
            trigger = Trigger(self._time_ns(m, arrival_ns), *place)
            self._of_kind[kind].setdefault(which, trigger)

    def _time_ns(self, m: Any, arrival_ns: int) -> int:
        """By the autopilot's clock since boot; what it counts in Unix time is brought there by
        SYSTEM_TIME (#2), as the recorder's own Unix time may be seconds off."""
        if m.get_srcComponent() != AUTOPILOT:
            return arrival_ns
        if m.get_type() == "CAMERA_IMAGE_CAPTURED":
            boot_ns = int(m.time_boot_ms) * 10**6
        else:
            boot_ns = int(m.time_usec) * 1000
        if boot_ns > UNIX_NS:
            if self._unix_minus_boot_ns is None:
                return arrival_ns
            boot_ns -= self._unix_minus_boot_ns
        time_ns = self._clock.host_ns_of_past(boot_ns, arrival_ns)
        if time_ns is None or not 0 <= arrival_ns - time_ns <= MAX_LATE_NS:
            return arrival_ns
        return time_ns
