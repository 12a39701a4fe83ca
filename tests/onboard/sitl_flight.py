"""A real ArduPilot SITL flown by true positions with noise: material for the tests that run
where PILOTAGE_SITL names the binary (arducopter).

The companion's side is the real one: link, decoder, GNSS watch, takeover, publisher. Only the
estimate is made of the truth, so that what is measured is what the autopilot makes of it.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.decode import Decoder
from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.preset import Preset, choose
from onboard.flight_settings import LinkSettings, PublishSettings, TakeoverMethod, TakeoverSettings
from onboard.geodesy import enu_offset_m, offset_latlon
from onboard.gnss.gnss_watch import GnssWatch
from onboard.messages import Estimate
from onboard.publish import PERIOD_NS, Publisher
from onboard.reasons import GnssState, Mode
from onboard.takeover.takeover import Takeover
from onboard.telemetry_messages import Gnss
from tools.sim.ground_station import GroundStation, Truth

INSTANCE = int(os.environ.get("PILOTAGE_SITL_INSTANCE", "2"))
HOME = (47.2, 8.5)
STATION = f"tcp:127.0.0.1:{5760 + 10 * INSTANCE}"
COMPANION = f"tcp:127.0.0.1:{5762 + 10 * INSTANCE}"
SPEED_UP = 3
STREAMS_HZ = {
    mavlink.MAVLINK_MSG_ID_ATTITUDE: 20,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: 10,
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: 5,
    mavlink.MAVLINK_MSG_ID_GPS2_RAW: 5,
    mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: 5,
    mavlink.MAVLINK_MSG_ID_SYS_STATUS: 2,
    mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: 1,
}
NOISE_M, NOISE_TIME_S = 2.0, 2.0  # one sigma per axis; correlation time
FIX_TICKS = 5  # a fix every half second, for the watch
CLIMB_M = 60.0
SETTLED_S = 40.0  # of its own time, for ArduPilot to be ready to arm
SPEED_M_S = 10.0


def binary() -> Path:
    """Skips the test where there is none."""
    named = os.environ.get("PILOTAGE_SITL", "")
    if not named:
        pytest.skip("set PILOTAGE_SITL to a built arducopter (waf configure --board sitl)")
    path = Path(named)
    if not path.is_file():
        pytest.skip(f"PILOTAGE_SITL: {path} is no file")
    return path


class AutopilotClock:
    """For the decoder: everything counts in the autopilot's own time."""

    def host_ns_of_ms(self, boot_ms: int, arrival_ns: int) -> int | None:
        return boot_ms * 1_000_000

    def host_ns(self, boot_ns: int, arrival_ns: int) -> int | None:
        return boot_ns

    def host_ns_of_past(self, boot_ns: int, arrival_ns: int) -> int | None:
        return arrival_ns


@dataclass
class Log:
    """Of each tick: seconds of the autopilot's clock, metres between belief and truth."""

    at_s: list[float] = field(default_factory=list)
    error_m: list[float] = field(default_factory=list)
    state: list[GnssState] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)


class SitlFlight:
    """A context: SITL runs while it lasts."""

    def __init__(
        self,
        folder: Path,
        publish: PublishSettings,
        method: TakeoverMethod,
        noise_m: float = NOISE_M,
    ) -> None:
        self._folder = folder
        self._publish = publish
        self._method = method
        self._noise_m = noise_m
        self._noise = np.zeros(2)
        self._rng = np.random.default_rng(5)
        self._next_tick_ns = 0
        self.estimate_changes: Callable[[Estimate], Estimate | None] = lambda e: e
        self.sent: list[Any] = []
        self.log = Log()

    def __enter__(self) -> SitlFlight:
        path = binary()
        defaults = path.parents[3] / "Tools/autotest/default_params/copter.parm"
        where = f"{HOME[0]},{HOME[1]},420,0"
        command = [str(path), "--model", "quad", "--speedup", str(SPEED_UP), "-I", str(INSTANCE)]
        command += ["--home", where, "--defaults", str(defaults), "--wipe"]
        with (self._folder / "sitl.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        self.station = GroundStation(STATION)
        self.station.request_streams()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.station.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def set_up(self, *more: Preset) -> None:
        """The presets that the product ships, and a reboot."""
        for again in (False, True):
            for preset in (*choose("ardupilot", "copter", (4, 7), self._publish.outputs), *more):
                for wanted in preset.parameters:
                    if again or self.station.parameter(wanted.name) is not None:
                        self.station.set_parameter(wanted.name, wanted.value)
            if not again:
                self.station.reboot()
                self.station.close()
                time.sleep(1.5)
                self.station = GroundStation(STATION)
                self.station.request_streams()
        self.connect()

    def connect(self) -> None:
        """The companion starts (anew)."""
        if hasattr(self, "link"):
            self.link.close()
        self.link = MavlinkLink(LinkSettings(address=COMPANION))
        self._decoder = Decoder(AutopilotClock(), own_receiver=1)
        self.watch = GnssWatch(HOME, own_receiver=1)
        state_file = self._folder / "takeover.json"
        self.takeover = Takeover(self, TakeoverSettings(self._method), self._publish, state_file)
        self.publisher = Publisher(self, self._publish, is_held=self.takeover.is_held)
        self.station.meanwhile = self.step
        self._asked = False

    def send(self, message: Any) -> None:
        self.sent.append(message)
        self.link.send(message)

    def take_off(self) -> None:
        """Armed, up, and flying north at 10 m/s."""
        self.settle()
        self.station.arm(240.0)
        self.station.take_off(CLIMB_M, 120.0)
        self.go_north(6000.0)
        self.fly(12.0)
        self.log = Log()

    def settle(self) -> None:
        """On the ground, until it could be armed."""
        limit_s = time.monotonic() + 240.0
        while not self.station.ekf_has_position or self.now_s < SETTLED_S:
            assert time.monotonic() < limit_s, "the EKF did not settle"
            self.step()
        self.station.set_mode("GUIDED")

    @property
    def publisher_offers(self) -> bool:
        """Whether the newest GPS_INPUT, where there is one, holds a position."""
        newest = next((m for m in reversed(self.sent) if m.get_type() == "GPS_INPUT"), None)
        return newest is not None and newest.fix_type == 3

    def go_north(self, metres: float) -> None:
        lat, lon = offset_latlon(*HOME, 0.0, metres)
        self.station.send(
            mavlink.MAVLink_set_position_target_global_int_message(
                0, self.station.system_id, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT,
                0b110111111000, round(lat * 1e7), round(lon * 1e7), CLIMB_M, *[0.0] * 8,
            )
        )  # fmt: skip

    def fly(self, seconds: float) -> None:
        """Seconds of the autopilot's clock."""
        end_ns = self.station.clock_ns + round(seconds * 1e9)
        limit_s = time.monotonic() + 60.0 + 4.0 * seconds
        while self.station.clock_ns < end_ns:
            assert time.monotonic() < limit_s, "the simulation stands still"
            self.step()

    @property
    def now_s(self) -> float:
        return self.station.clock_ns * 1e-9

    def step(self) -> None:
        self.station.pump(wait_s=0.004)
        now_ns = self.station.clock_ns
        if not self._asked and self.link.system_id:
            self._asked = True
            for number, hz in STREAMS_HZ.items():
                self.send(_interval(number, hz))
        for message in self.link.receive(0.0):
            for event in self._decoder.decode(message, now_ns):
                if isinstance(event, Gnss):
                    self.watch.add_gnss(event)
                self.watch.hear(event)
                self.takeover.hear(event)
                self.publisher.hear(event)
        if self.station.truth and now_ns >= self._next_tick_ns:
            self._next_tick_ns = now_ns - now_ns % PERIOD_NS + PERIOD_NS
            self._tick(now_ns, self.station.truth[-1])
            del self.station.truth[:-1]

    def _tick(self, now_ns: int, truth: Truth) -> None:
        estimate = self.estimate_changes(self._estimate(now_ns, truth))
        if estimate is not None and now_ns // PERIOD_NS % FIX_TICKS == 0:
            place = enu_offset_m(*HOME, estimate.lat_deg, estimate.lon_deg)
            self.watch.compare(now_ns, np.array(place), self._noise_m**2, 1.0)
        gnss = self.watch.assess(now_ns)
        self.takeover.act(now_ns, estimate, gnss)
        self.publisher.act(now_ns, estimate, gnss)
        log, p = self.log, self.station.position
        if p is None:
            return
        since_s = p.time_boot_ms * 1e-3 - truth.time_ns * 1e-9
        east, north = enu_offset_m(truth.lat_deg, truth.lon_deg, p.lat * 1e-7, p.lon * 1e-7)
        east -= truth.velocity_east_m_s * since_s
        north -= truth.velocity_north_m_s * since_s
        log.at_s.append(now_ns * 1e-9)
        log.error_m.append(math.hypot(east, north))
        log.state.append(gnss.state)
        log.held.append(self.takeover.is_held())
        log.modes.append(self.station.mode)

    def _estimate(self, now_ns: int, truth: Truth) -> Estimate:
        keep = math.exp(-PERIOD_NS * 1e-9 / NOISE_TIME_S)
        fresh = self._rng.normal(0.0, self._noise_m, 2)
        self._noise = keep * self._noise + math.sqrt(1.0 - keep**2) * fresh
        since_s = (now_ns - truth.time_ns) * 1e-9
        lat, lon = offset_latlon(
            truth.lat_deg,
            truth.lon_deg,
            truth.velocity_east_m_s * since_s + self._noise[0],
            truth.velocity_north_m_s * since_s + self._noise[1],
        )
        return Estimate(
            now_ns, lat, lon, truth.velocity_north_m_s, truth.velocity_east_m_s,
            np.eye(2) * max(self._noise_m, 0.5) ** 2, None, 0.3, Mode.TRACKING,
            truth.amsl_m, 3.0, 5.0 * self._noise_m,
        )  # fmt: skip


def _interval(number: int, hz: float) -> mavlink.MAVLink_command_long_message:
    command = mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
    return mavlink.MAVLink_command_long_message(0, 1, command, 0, number, 1e6 / hz, *[0.0] * 5)
