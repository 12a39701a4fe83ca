"""The autopilot's two GNSS receivers: the simulated one, and the one that GPS_INPUT feeds.

Figures are those measured on ArduPilot's SITL (`../shared/facts/autopilots.md`, sections 1.3
and 2). Positions are metres north, east and up of home.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onboard.geodesy import enu_offset_m, offset_latlon
from tools.sim.double.parameters import Parameters
from tools.sim.vehicles import Body

NO_GPS, NO_FIX, FIX_3D, RTK_FIXED = 0, 1, 3, 6  # GPS_FIX_TYPE
TIMEOUT_NS = 4_000_000_000  # of silence, then there is no fix
MAX_GAP_S, MAX_MEAN_GAP_S = 0.245, 0.215  # for a healthy receiver
USUAL_GAP_S, GAP_SMOOTHING = 0.2, 0.02
HISTORY_STEPS = 64  # of truth, for the receiver's lag
MAVLINK_DELAY_NS = 200_000_000  # what is assumed of GPS_INPUT when GPS2_DELAY_MS is 0
FIRST_FIX_NS = 5_000_000_000  # after boot
HDOP, EPV = 1.21, 2.0
LOST_SATELLITES = 3

# A jammed receiver: none for a while, then it comes and goes, and walks about.
JAM_SILENT_S = (1.0, 6.0)
JAM_FIX_HZ, JAM_VELOCITY_HZ, JAM_POSITION_HZ, JAM_ACCURACY_HZ = 3.0, 0.8, 1.1, 3.0
JAM_SATELLITES, JAM_NEEDED = (2, 16), 4
JAM_SPEED_M_S, JAM_STEP_M, JAM_ACCURACY_M, JAM_SPEED_ACCURACY_M_S = 400.0, 200.0, 300.0, 50.0

MAVLINK_TYPE = 14  # of GPSn_TYPE
# GPS_INPUT (#232) ignore flags.
IGNORE_ALT, IGNORE_HDOP, IGNORE_VDOP, IGNORE_VEL_H, IGNORE_VEL_V = 1, 2, 4, 8, 16
IGNORE_SPEED_ACC, IGNORE_H_ACC, IGNORE_V_ACC = 32, 64, 128


@dataclass(frozen=True)
class Reading:
    """What a receiver last said. time_ns: when it arrived, of the autopilot's clock; delay_ns:
    how old the autopilot takes it to be. Accuracies None where not told."""

    time_ns: int
    delay_ns: int
    fix_type: int
    satellites: int
    north_m: float = 0.0
    east_m: float = 0.0
    up_m: float = 0.0
    velocity_m_s: tuple[float, float, float] = (0.0, 0.0, 0.0)  # north, east, down
    hdop: float | None = HDOP
    vdop: float | None = EPV
    accuracy_m: float | None = 0.3
    height_accuracy_m: float | None = 0.3
    speed_accuracy_m_s: float | None = 0.0


class Receiver:
    """One of the two, as AP_GPS keeps it."""

    def __init__(self) -> None:
        self.reading: Reading | None = None
        self.count = 0  # of readings
        self._mean_gap_s = USUAL_GAP_S
        self._late_in_row = 0

    @property
    def fix_type(self) -> int:
        return NO_GPS if self.reading is None else self.reading.fix_type

    @property
    def healthy(self) -> bool:
        """Steady enough: on average and without two late readings in a row."""
        return self._mean_gap_s < MAX_MEAN_GAP_S and self._late_in_row < 2

    def take(self, reading: Reading) -> None:
        if self.reading is not None:
            gap_s = (reading.time_ns - self.reading.time_ns) * 1e-9
            self._mean_gap_s += GAP_SMOOTHING * (gap_s - self._mean_gap_s)
            self._late_in_row = self._late_in_row + 1 if gap_s > MAX_GAP_S else 0
        self.reading = reading
        self.count += 1

    def time_out(self, now_ns: int, to_fix: int) -> None:
        """After 4 s without a reading there is no fix any more."""
        have = self.reading
        if have is not None and have.fix_type > to_fix and now_ns - have.time_ns > TIMEOUT_NS:
            self.reading = replace(
                have, fix_type=to_fix, satellites=0, hdop=None, vdop=None, time_ns=now_ns
            )
            self._late_in_row = 2


class SimulatedReceiver(Receiver):
    """The first: SIM_GPS1_* decide what becomes of the truth."""

    def __init__(self, seed: int, home: tuple[float, float]) -> None:
        super().__init__()
        self._home = home
        self._random = np.random.default_rng([seed, 0x61])
        self._truth: deque[tuple[int, float, float, float, float, float, float]] = deque(
            maxlen=HISTORY_STEPS
        )
        self._next_ns = 0
        self._jam: _Jam | None = None

    def step(self, now_ns: int, body: Body, parameters: Parameters) -> None:
        """Called every step of the simulation."""
        self._truth.append((
            now_ns, body.north_m, body.east_m, body.up_m,
            body.north_m_s, body.east_m_s, -body.up_m_s,
        ))  # fmt: skip
        if parameters["SIM_GPS1_TYPE"] == 0 or parameters["GPS1_TYPE"] == 0:
            self.time_out(now_ns, NO_GPS)
            self._next_ns = now_ns
            return
        if now_ns < self._next_ns:
            return
        self._next_ns += round(1e9 / max(parameters["SIM_GPS1_HZ"], 1.0))
        self.take(self._read(now_ns, parameters))

    def _read(self, now_ns: int, parameters: Parameters) -> Reading:
        lag_ns = round(parameters["SIM_GPS1_LAG_MS"] * 1e6)
        _, north, east, up, *velocity = min(
            self._truth, key=lambda row: abs(row[0] - (now_ns - lag_ns))
        )
        wrong = (parameters["SIM_GPS1_VERR_X"], parameters["SIM_GPS1_VERR_Y"])
        accuracy = parameters["SIM_GPS1_ACC"]
        read = Reading(
            now_ns,
            lag_ns,
            RTK_FIXED,
            round(parameters["SIM_GPS1_NUMSATS"]),
            north,
            east,
            up + parameters["SIM_GPS1_GLTCH_Z"],
            (velocity[0] + wrong[0], velocity[1] + wrong[1], velocity[2]),
            accuracy_m=accuracy,
            height_accuracy_m=accuracy,
            speed_accuracy_m_s=math.hypot(*wrong),
        )
        moved = (parameters["SIM_GPS1_GLTCH_X"], parameters["SIM_GPS1_GLTCH_Y"])
        if any(moved):  # degrees of latitude, longitude
            lat, lon = offset_latlon(*self._home, east, north)
            east, north = enu_offset_m(*self._home, lat + moved[0], lon + moved[1])
            read = replace(read, north_m=float(north), east_m=float(east))
        if parameters["SIM_GPS1_JAM"] == 1:
            self._jam = self._jam or _Jam(now_ns, self._random, read)
            read = self._jam.spoil(read)
        else:
            self._jam = None
        if parameters["SIM_GPS1_ENABLE"] == 0 or now_ns < FIRST_FIX_NS:
            return replace(read, fix_type=NO_FIX, satellites=LOST_SATELLITES)
        return read


class MavlinkReceiver(Receiver):
    """The second, when GPS2_TYPE is 14: GPS_INPUT (#232)."""

    instance = 1

    def step(self, now_ns: int) -> None:
        self.time_out(now_ns, NO_FIX)

    def hear(
        self, message: Any, now_ns: int, home: tuple[float, float, float], delay_ms: float
    ) -> None:
        """home: lat_deg, lon_deg, amsl_m. What is for another receiver is dropped in silence."""
        if message.gps_id != self.instance:
            return
        flags = message.ignore_flags
        east, north = enu_offset_m(home[0], home[1], message.lat * 1e-7, message.lon * 1e-7)

        def told(value: float, flag: int) -> float | None:
            return None if flags & flag else float(value)

        # There is no way to say "no velocity": ignored ones count as zero (1.5 of the facts).
        still = flags & IGNORE_VEL_H
        self.take(
            Reading(
                now_ns,
                round(delay_ms * 1e6) or MAVLINK_DELAY_NS,
                min(message.fix_type, RTK_FIXED),
                message.satellites_visible,
                float(north),
                float(east),
                0.0 if flags & IGNORE_ALT else message.alt - home[2],
                (
                    0.0 if still else message.vn,
                    0.0 if still else message.ve,
                    0.0 if flags & IGNORE_VEL_V else message.vd,
                ),
                hdop=told(message.hdop, IGNORE_HDOP),
                vdop=told(message.vdop, IGNORE_VDOP),
                accuracy_m=told(message.horiz_accuracy, IGNORE_H_ACC),
                height_accuracy_m=told(message.vert_accuracy, IGNORE_V_ACC),
                speed_accuracy_m_s=told(message.speed_accuracy, IGNORE_SPEED_ACC),
            )
        )


class _Jam:
    """From the moment a receiver is jammed."""

    def __init__(self, now_ns: int, random: np.random.Generator, read: Reading) -> None:
        self._random = random
        self._silent_until_ns = now_ns + round(random.uniform(*JAM_SILENT_S) * 1e9)
        self._drawn_ns = dict.fromkeys(("fix", "velocity", "position", "accuracy"), now_ns)
        self._at = (read.north_m, read.east_m)
        self._fix, self._satellites = NO_FIX, 0
        self._velocity = (0.0, 0.0, 0.0)
        self._accuracy = (read.accuracy_m or 0.0, read.height_accuracy_m or 0.0, 0.0)

    def spoil(self, read: Reading) -> Reading:
        if read.time_ns < self._silent_until_ns:
            return replace(read, fix_type=NO_FIX, satellites=0)
        random = self._random
        if self._due("fix", JAM_FIX_HZ, read.time_ns):
            self._satellites = int(random.integers(JAM_SATELLITES[0], JAM_SATELLITES[1] + 1))
            locked = self._satellites >= JAM_NEEDED and random.random() < 0.5
            self._fix = RTK_FIXED if locked else NO_FIX
        if self._due("velocity", JAM_VELOCITY_HZ, read.time_ns):
            north, east, down = random.uniform(-JAM_SPEED_M_S, JAM_SPEED_M_S, 3).tolist()
            self._velocity = (north, east, down)
        if self._due("position", JAM_POSITION_HZ, read.time_ns):
            step = random.uniform(-JAM_STEP_M, JAM_STEP_M, 2).tolist()
            self._at = (self._at[0] + step[0], self._at[1] + step[1])
        if self._due("accuracy", JAM_ACCURACY_HZ, read.time_ns):
            across, along = random.uniform(0.0, JAM_ACCURACY_M, 2).tolist()
            self._accuracy = (across, along, float(random.uniform(0.0, JAM_SPEED_ACCURACY_M_S)))
        return replace(
            read,
            fix_type=self._fix,
            satellites=self._satellites if self._fix > NO_FIX else LOST_SATELLITES,
            north_m=self._at[0],
            east_m=self._at[1],
            velocity_m_s=self._velocity,
            accuracy_m=self._accuracy[0],
            height_accuracy_m=self._accuracy[1],
            speed_accuracy_m_s=self._accuracy[2],
        )

    def _due(self, what: str, hz: float, now_ns: int) -> bool:
        if (now_ns - self._drawn_ns[what]) * 1e-9 <= self._random.uniform(0.0, 2.0) / hz:
            return False
        self._drawn_ns[what] = now_ns
        return True
