"""A ground station and a companion on the double's sockets, in step with its clock."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

os.environ["MAVLINK20"] = "1"
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import offset_latlon
from tools.sim.double import Double, Home

HOME = Home()
READY_S = 43.0
HEIGHT_M = 20.0
GUIDED, AUTO, LAND = 4, 3, 9
IGNORE_VELOCITY = 8 | 16
STEP_S = 0.05


@dataclass
class Feed:
    """GPS_INPUT as a companion sends it. off_m: (north, east) added at simulated second t."""

    hz: float = 8.0
    latency_s: float = 0.0
    noise_m: float = 0.0
    accuracy_m: float = 3.0
    velocity: bool = True
    speed_accuracy: float = 0.5
    fix_type: int = 3
    satellites: int = 9
    gps_id: int = 1
    hdop: float = 1.0
    on: bool = True
    off_m: Callable[[float], tuple[float, float]] = lambda t: (0.0, 0.0)


@dataclass
class Moment:
    t_s: float
    error_m: float
    mode: int
    flags: int
    primary: int


@dataclass
class Bench:
    """connections[0] is the ground station's. now_s counts on over reboots."""

    parameters: dict[str, float] = field(default_factory=dict)
    plane: bool = False
    seed: int = 1
    feed: Feed | None = None

    def __post_init__(self) -> None:
        self.double = Double(self.plane, HOME, self.parameters, self.seed)
        self.links = [self.connect(n, 255 if n == 0 else 1) for n in (0, 1)]
        self.heard: list[Any] = []
        self.vision: Callable[[float], Any] | None = None
        self._truth: deque[tuple[float, float, float, float, float, float]] = deque(maxlen=100)
        self._next_s = 0.0
        self._random = np.random.default_rng(self.seed)

    def connect(self, number: int, system_id: int) -> Any:
        return mavutil.mavlink_connection(
            self.double.addresses[number],
            source_system=system_id,
            source_component=190 if system_id == 255 else 197,
            dialect="ardupilotmega",
        )

    def close(self) -> None:
        for link in self.links:
            link.close()
        self.double.close()

    @property
    def t_s(self) -> float:
        return self.double.now_ns * 1e-9

    @property
    def texts(self) -> list[str]:
        return [m.text for m in self.heard if m.get_type() == "STATUSTEXT"]

    def of(self, kind: str) -> list[Any]:
        return [m for m in self.heard if m.get_type() == kind]

    def command(self, number: int, *params: float) -> int:
        """COMMAND_LONG; the result that comes back."""
        self.heard = [m for m in self.heard if m.get_type() != "COMMAND_ACK"]
        filled = [*params, *[0.0] * 7][:7]
        self.links[0].mav.command_long_send(1, 1, number, 0, *filled)
        self.run(0.05)
        return int(self.of("COMMAND_ACK")[-1].result)

    def set(self, **values: float) -> None:
        for name, value in values.items():
            self.links[0].mav.param_set_send(1, 1, name.encode(), value, 9)
        self.run(0.02)

    def run(self, seconds: float) -> list[Moment]:
        """On in steps, the companion speaking meanwhile."""
        moments = []
        for _ in range(max(1, round(seconds / STEP_S))):
            self._speak()
            self.double.advance(STEP_S)
            self._hear()
            a = self.double.autopilot
            b = a.body
            self._truth.append((self.t_s, b.north_m, b.east_m, b.up_m, b.north_m_s, b.east_m_s))
            error = math.hypot(b.north_m - a.ekf.position[0], b.east_m - a.ekf.position[1])
            moments.append(Moment(self.t_s, error, a.mode, a.flags, a.choice.primary))
        return moments

    def cruise(self) -> None:
        """Armed, up, and northwards at 10 m/s."""
        self.run(READY_S)
        assert self.command(mavlink.MAV_CMD_DO_SET_MODE, 1, GUIDED) == 0, self.texts
        assert self.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, self.texts
        assert self.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, HEIGHT_M) == 0
        self.run(15.0)
        self.fly_to(5000.0, 0.0)
        self.run(12.0)
        assert self.double.body.north_m_s > 9.0
        self.heard.clear()

    def fly_to(self, north_m: float, east_m: float) -> None:
        lat, lon = offset_latlon(HOME.lat_deg, HOME.lon_deg, east_m, north_m)
        self.links[0].mav.set_position_target_global_int_send(
            0, 1, 1, 6, 0b111111111000, round(lat * 1e7), round(lon * 1e7), HEIGHT_M, *[0.0] * 8
        )

    def _hear(self) -> None:
        for link in self.links:
            try:
                while (m := link.recv_match(blocking=False)) is not None:
                    if m.get_type() != "BAD_DATA":
                        self.heard.append(m)
            except (ConnectionError, OSError):
                return

    def _speak(self) -> None:
        feed, t = self.feed, self.t_s
        if not self._truth or t + 1e-9 < self._next_s:
            return
        if self.vision is not None:
            self.links[1].mav.send(self.vision(t))
            self._next_s = t + 0.1
        if feed is None or not feed.on:
            return
        self._next_s = max(self._next_s + 1.0 / feed.hz, t - 1.0 / feed.hz)
        self.send_gps_input(feed)

    def truth_at(self, t_s: float) -> tuple[float, float, float, float, float, float]:
        return min(self._truth, key=lambda row: abs(row[0] - t_s))

    def send_gps_input(self, feed: Feed) -> None:
        t = self.t_s
        _, n, e, u, vn, ve = self.truth_at(t - feed.latency_s)
        off = feed.off_m(t)
        dn, de = self._random.normal(0.0, feed.noise_m or 1e-9, 2).tolist()
        lat, lon = offset_latlon(HOME.lat_deg, HOME.lon_deg, e + de + off[1], n + dn + off[0])
        self.links[1].mav.gps_input_send(
            0, feed.gps_id, 0 if feed.velocity else IGNORE_VELOCITY, 0, 0, feed.fix_type,
            round(lat * 1e7), round(lon * 1e7), HOME.amsl_m + u, feed.hdop, 1.0,
            vn, ve, 0.0, feed.speed_accuracy, feed.accuracy_m, 3.0, feed.satellites, 0,
        )  # fmt: skip
