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
from onboard.messages import Event, Gnss, ParameterValue
from tools.logs.quiet import quiet
from tools.logs.recorded_log import RecordedLog, Trigger, count, in_order

os.environ["MAVLINK20"] = "1"  # pymavlink reads it on import
from pymavlink import mavutil

AUTOPILOT = 1  # its component id
TRIGGERS = ("CAMERA_FEEDBACK", "CAMERA_IMAGE_CAPTURED", "CAMERA_TRIGGER")
MOST_DAMAGED = 1000  # messages, then the rest is given up


def read_tlog(path: Path) -> RecordedLog:
    """Of the first autopilot that speaks. Raises InputError: not such a log, nothing of use."""
    clock = TimeSync()
    decoder = Decoder(clock)
    events: list[Event] = []
    triggers: list[Trigger] = []
    vehicle: int | None = None
    damaged = 0
    with quiet():
        try:
            reader: Any = mavutil.mavlogfile(str(path))
        except Exception as e:  # pymavlink raises whatever comes
            raise InputError(f"{path}: cannot be read ({e}); give a .tlog file") from e
        while damaged <= MOST_DAMAGED:
            try:
                m = reader.recv_msg()
            except Exception:
                damaged += 1
                continue
            if m is None:
                break
            if m.get_type() == "BAD_DATA" or m.get_srcComponent() != AUTOPILOT:
                continue
            if vehicle is None and m.get_type() == "HEARTBEAT":
                vehicle = m.get_srcSystem()
            if m.get_srcSystem() != vehicle:
                continue
            arrival_ns = round(m._timestamp * 1e6) * 1000
            if m.get_type() in TRIGGERS:
                triggers.append(_trigger(m, clock, arrival_ns))
            events += decoder.decode(m, arrival_ns)
    events = [e for e in events if not isinstance(e, ParameterValue)]
    if not any(isinstance(event, Gnss) for event in events) and len(events) < 2:
        raise InputError(f"{path}: holds no flight's MAVLink; give a .tlog file")
    ordered = in_order(events)
    notes = [f"{path.name}: {count(ordered)}, {len(triggers)} pictures triggered"]
    if damaged:
        notes.append(f"{path.name}: {damaged} damaged messages left out")
    return RecordedLog(path.name, ordered, tuple(triggers), 0, tuple(notes))


def _trigger(m: Any, clock: TimeSync, arrival_ns: int) -> Trigger:
    """CAMERA_FEEDBACK (#180) counts in Unix microseconds, CAMERA_IMAGE_CAPTURED (#263) and
    CAMERA_TRIGGER (#112) mostly since boot: then by the autopilot's clock."""
    if m.get_type() == "CAMERA_IMAGE_CAPTURED":
        time_ns = clock.host_ns_of_past(int(m.time_boot_ms) * 1_000_000, arrival_ns)
    else:
        time_ns = clock.host_ns_of_past(int(m.time_usec) * 1000, arrival_ns)
    lat, lon = getattr(m, "lat", 0), getattr(m, "lng", getattr(m, "lon", 0))
    place = (lat * 1e-7, lon * 1e-7) if lat or lon else (None, None)
    return Trigger(arrival_ns if time_ns is None else time_ns, *place)
