"""ArduPilot's own log (.bin), by pymavlink's reader.

Messages of the log: ATT, GPS with GPA, POS (AMSL and above home), RFND (downward), ARSP with
XKF2 (wind), CAM and TRIG (a picture was taken).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.messages import Event
from onboard.outputs.gps_input import GPS_EPOCH_S, LEAP_SECONDS
from onboard.telemetry_messages import AirData, Attitude, Gnss, Height
from tools.logs.quiet import quiet, said
from tools.logs.recorded_log import RecordedLog, Trigger, made_log

KINDS = {"ATT", "GPS", "GPA", "POS", "RFND", "ARSP", "XKF2", "CAM", "TRIG"}
DOWNWARD = 25  # RFND.Orient: MAV_SENSOR_ROTATION_PITCH_270
RANGEFINDER_GOOD = 4  # RFND.Stat
MIN_FIX = 3  # GPS_FIX_TYPE: 3-D
HEIGHT_SIGMA_M, RANGE_SIGMA_M = 5.0, 1.0
USUAL_SIGMA_M = 3.0  # where no GPA tells the receiver's own
RESTART_US = 2_000_000  # messages lie out of order by less
BLOCK = 20  # messages whose times are looked at together
MOST_DAMAGED = 1000  # messages, then the rest is given up
WEEK_S = 7 * 86_400


def read_dataflash(path: Path) -> RecordedLog:
    """Raises InputError: not such a log, or nothing of use in it."""
    from pymavlink import DFReader

    starts = [_Gathered()]
    damaged = 0
    with quiet():
        # pymavlink raises whatever comes, plain Exception among it, on damaged logs.
        try:
            reader: Any = DFReader.DFReader_binary(str(path))
        except Exception as e:
            raise InputError(
                f"{path}: not an ArduPilot log ({said(e)}); give a .bin file "
                "as the autopilot wrote it"
            ) from e
        while damaged <= MOST_DAMAGED:
            try:
                message = reader.recv_match(type=KINDS)
                if message is None:
                    break
                if starts[-1].is_over(int(message.TimeUS)):
                    starts.append(_Gathered())
                starts[-1].add(message)
            except Exception:
                damaged += 1
    longest = max(starts, key=lambda gathered: len(gathered.events))
    log = made_log(path, longest.events, longest.triggers, longest.utc_minus_clock_ns, damaged)
    if len(starts) > 1:
        note = f"{path.name}: the autopilot started {len(starts)} times; the longest flight is used"
        log = replace(log, notes=(*log.notes, note))
    return log


class _Gathered:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._cam: list[Trigger] = []
        self._trig: list[Trigger] = []
        self.utc_minus_clock_ns: int | None = None
        self._sigma_m: dict[int, tuple[float, float]] = {}
        self._airspeed_m_s: float | None = None
        self._block_us: list[int] = []
        self._median_us = 0.0

    @property
    def triggers(self) -> list[Trigger]:
        """CAM is the picture itself, where a feedback pin tells it; TRIG only the wish for it."""
        return self._cam or self._trig

    def is_over(self, time_us: int) -> bool:
        """Whether the autopilot's clock began anew: by medians, which damaged times don't move."""
        self._block_us.append(time_us)
        if len(self._block_us) < BLOCK:
            return False
        before_us, self._median_us = self._median_us, statistics.median(self._block_us)
        self._block_us = []
        return self._median_us < before_us - RESTART_US

    def add(self, m: Any) -> None:
        time_ns = int(m.TimeUS) * 1000
        kind = m.get_type()
        if kind == "ATT":
            angles = [math.radians(v) for v in (m.Roll, m.Pitch, m.Yaw)]
            if all(map(math.isfinite, angles)):
                self.events.append(Attitude(time_ns, *angles))
        elif kind == "GPA":
            self._sigma_m[int(getattr(m, "I", 0))] = (float(m.HAcc), float(m.SAcc))
        elif kind == "GPS":
            self._add_gnss(m, time_ns)
        elif kind == "POS":
            self.events.append(
                Height(time_ns, float(m.RelHomeAlt), float(m.Alt), HEIGHT_SIGMA_M, "home")
            )
        elif kind == "RFND" and int(m.Orient) == DOWNWARD and int(m.Stat) == RANGEFINDER_GOOD:
            self.events.append(Height(time_ns, float(m.Dist), None, RANGE_SIGMA_M, "rangefinder"))
        elif kind == "ARSP":
            self._airspeed_m_s = float(m.Airspeed)
        elif kind == "XKF2" and int(m.C) == 0 and self._airspeed_m_s is not None:
            wind = (float(m.VWN), float(m.VWE))
            self.events.append(AirData(time_ns, self._airspeed_m_s, *wind))
        elif kind in ("CAM", "TRIG") and int(getattr(m, "I", 0)) == 0:
            triggers = self._cam if kind == "CAM" else self._trig
            triggers.append(Trigger(time_ns, float(m.Lat), float(m.Lng)))

    def _add_gnss(self, m: Any, time_ns: int) -> None:
        receiver = int(getattr(m, "I", 0))
        sigma_m, speed_sigma = self._sigma_m.get(receiver, (USUAL_SIGMA_M, None))
        course, speed = math.radians(m.GCrs), float(m.Spd)
        has_fix = int(m.Status) >= MIN_FIX
        self.events.append(
            Gnss(
                time_ns,
                float(m.Lat),
                float(m.Lng),
                sigma_m,
                has_fix,
                receiver=receiver,
                fix_type=int(m.Status),
                satellites=int(m.NSats),
                amsl_m=float(m.Alt),
                velocity_north_m_s=speed * math.cos(course) if has_fix else None,
                velocity_east_m_s=speed * math.sin(course) if has_fix else None,
                velocity_sigma_m_s=speed_sigma,
            )
        )
        if has_fix and int(m.GWk) > 0:
            unix_s = GPS_EPOCH_S - LEAP_SECONDS + int(m.GWk) * WEEK_S + int(m.GMS) / 1000
            self.utc_minus_clock_ns = round(unix_s * 1e9) - time_ns
