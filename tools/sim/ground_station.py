"""The person at the ground station, by script: parameters, mission, arming; and the truth.

Speaks MAVLink to ArduPilot's SITL or to our double, on a link of its own: the companion is
tested through its own link and knows nothing of this one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onboard.errors import InputError

os.environ["MAVLINK20"] = "1"  # pymavlink reads it on import
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

SYSTEM_ID = 255  # a ground station's
STREAM_HZ = {
    mavlink.MAVLINK_MSG_ID_SIM_STATE: 50,
    mavlink.MAVLINK_MSG_ID_ATTITUDE: 50,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: 10,
    mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: 5,
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: 5,
    mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: 2,
}
ANSWER_S = 10.0  # of wall time for an answer to a request
NO_SUCH_PARAMETER_S = 3.0
ASK_AGAIN_S = 0.5
RETRY_S = 0.5
REBOOTED_NS = 1_000_000_000  # its clock went back so far
HEARTBEATS_WAITED, HEARTBEAT_S = 40, 0.1
AUTOPILOT = 1  # its component id
RECEIVED_AT_ONCE = 500
FORCE_REBOOT = 20190226  # MAV_CMD 246, parameter 6: while armed, too
TAKEN_OFF_SHARE = 0.95  # of the height asked for


@dataclass(frozen=True)
class Truth:
    """SIM_STATE: where the vehicle truly is. time_ns: the autopilot's clock."""

    time_ns: int
    lat_deg: float
    lon_deg: float
    amsl_m: float
    roll: float
    pitch: float
    yaw: float
    velocity_north_m_s: float
    velocity_east_m_s: float


class GroundStation:
    """A connection to the autopilot, and what it told last."""

    def __init__(
        self,
        address: str,
        wait_s: float = 30.0,
        idle: Callable[[], object] = lambda: None,
    ) -> None:
        """idle: makes the clock of a double move. Raises InputError when nobody answers."""
        self._address, self._wait_s, self._idle = address, wait_s, idle
        # The autopilot's, from its newest ATTITUDE; it goes on over a reboot, as a host's does.
        self.clock_ns = 0
        self._booted_ns, self._boot_clock_ns = 0, 0
        self.truth: list[Truth] = []
        self.mode, self.armed = "", False
        self.texts: list[tuple[int, str]] = []
        self.position: Any = None
        self._ekf_flags = 0
        self._parameters: dict[str, float] = {}
        self._mission: Sequence[Any] = ()
        self._mission_asked = False
        self._mission_result: int | None = None
        # What is done while waiting for an answer: a closed loop goes on flying.
        self.meanwhile: Callable[[], object] = lambda: (idle(), self.pump(wait_s=0.02))
        self._connection, beat = _connect(address, wait_s, idle)
        self.system_id = int(self._connection.target_system)
        self.is_plane = int(beat.type) == mavlink.MAV_TYPE_FIXED_WING

    def close(self) -> None:
        self._connection.close()

    def pump(self, wait_s: float = 0.0) -> int:
        """Takes in what has arrived; returns how many messages."""
        count = 0
        message = self._connection.recv_match(blocking=wait_s > 0, timeout=wait_s or None)
        while message is not None:
            count += 1
            self._take(message)
            if count >= RECEIVED_AT_ONCE:
                break
            message = self._connection.recv_match(blocking=False)
        return count

    def send(self, message: Any) -> None:
        self._connection.mav.send(message)

    def request_streams(self) -> None:
        """Asks for what a simulation needs, at the rates of STREAM_HZ."""
        for number, hz in STREAM_HZ.items():
            self.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, number, 1e6 / hz)

    def command(self, number: int, *params: float) -> None:
        """COMMAND_LONG, without waiting for what comes of it."""
        filled = [*params, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][:7]
        self._connection.mav.command_long_send(self.system_id, 1, number, 0, *filled)

    def parameter(self, name: str) -> float | None:
        """Its value; None when the autopilot has none of this name."""
        mav = self._connection.mav
        self._parameters.pop(name, None)

        def ask() -> None:
            mav.param_request_read_send(self.system_id, 1, name.encode(), -1)

        self._wait_for(ask, lambda: name in self._parameters, NO_SUCH_PARAMETER_S)
        return self._parameters.get(name)

    def set_parameter(self, name: str, value: float, wait: bool = True) -> None:
        """Raises InputError when the autopilot does not confirm it."""
        mav = self._connection.mav

        def ask() -> None:
            kind = mavlink.MAV_PARAM_TYPE_REAL32
            mav.param_set_send(self.system_id, 1, name.encode(), value, kind)

        def taken() -> bool:
            have = self._parameters.get(name)
            return have is not None and math.isclose(have, value, rel_tol=1e-5, abs_tol=1e-9)

        self._parameters.pop(name, None)
        if not wait:
            ask()
        elif not self._wait_for(ask, taken, ANSWER_S):
            raise InputError(f"{self._address}: parameter {name} could not be set to {value:g}")

    def upload_mission(self, items: Sequence[Any]) -> None:
        """MISSION_ITEM_INT messages, in order. Raises InputError when it is refused."""
        self._mission, self._mission_result = items, None

        def ask() -> None:
            if not self._mission_asked:
                self._connection.mav.mission_count_send(self.system_id, 1, len(items))

        self._mission_asked = False
        self._wait_for(ask, lambda: self._mission_result is not None, ANSWER_S)
        if self._mission_result != mavlink.MAV_MISSION_ACCEPTED:
            raise InputError(f"{self._address}: the autopilot did not take the mission")

    def set_mode(self, mode: str) -> None:
        """By ArduPilot's name. Raises InputError when the vehicle does not go into it."""
        number = (self._connection.mode_mapping() or {}).get(mode)
        if number is None:
            raise InputError(f"{self._address}: this vehicle has no mode {mode}")
        flag = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED

        def ask() -> None:
            self.command(mavlink.MAV_CMD_DO_SET_MODE, flag, number)

        self._until(ask, lambda: self.mode == mode, ANSWER_S, f"did not go into {mode}")

    def arm(self, patience_s: float) -> None:
        """Waits until it can be armed. patience_s: of wall time."""

        def ask() -> None:
            self.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1)

        self._until(ask, lambda: self.armed, patience_s, "could not be armed")

    def take_off(self, above_home_m: float, patience_s: float) -> None:
        """From mode GUIDED."""

        def ask() -> None:
            if self.height_m < 1.0:
                self.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, above_home_m)

        up = above_home_m * TAKEN_OFF_SHARE
        self._until(ask, lambda: self.height_m > up, patience_s, "did not take off")

    def reboot(self) -> None:
        """MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN (#246), in flight too: a crash of the autopilot."""
        self.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1, 0, 0, 0, 0, FORCE_REBOOT)

    def connect_again(self) -> None:
        """After a reboot. Raises InputError when it does not come back."""
        self._connection.close()
        time.sleep(RETRY_S)
        self._connection, _ = _connect(self._address, self._wait_s, self._idle)
        self.truth.clear()
        self.position = None
        self.request_streams()

    @property
    def height_m(self) -> float:
        """Above home, as the autopilot believes."""
        return self.position.relative_alt * 1e-3 if self.position is not None else 0.0

    @property
    def ekf_has_position(self) -> bool:
        return bool(self._ekf_flags & mavlink.EKF_POS_HORIZ_ABS)

    def _until(
        self, ask: Callable[[], None], done: Callable[[], bool], patience_s: float, what: str
    ) -> None:
        if not self._wait_for(ask, done, patience_s):
            said = "; ".join(text for _, text in self.texts[-4:])
            raise InputError(f"{self._address}: the vehicle {what}; it said: {said}")

    def _wait_for(
        self, ask: Callable[[], None], done: Callable[[], bool], patience_s: float
    ) -> bool:
        """Asks again and again; False when the patience is at its end."""
        until, next_ask = time.monotonic() + patience_s, 0.0
        while not done():
            now = time.monotonic()
            if now > until:
                return False
            if now >= next_ask:
                ask()
                next_ask = now + ASK_AGAIN_S
            self.meanwhile()
        return True

    def _take(self, message: Any) -> None:
        kind = message.get_type()
        if message.get_srcSystem() != self.system_id_or(message) or kind == "BAD_DATA":
            return
        if kind == "ATTITUDE":
            self._take_clock(int(message.time_boot_ms) * 1_000_000)
        elif kind == "SIM_STATE":
            self._take_truth(message)
        elif kind == "GLOBAL_POSITION_INT":
            self.position = message
        elif kind == "EKF_STATUS_REPORT":
            self._ekf_flags = int(message.flags)
        elif kind == "HEARTBEAT" and message.get_srcComponent() == 1:
            self.mode = mavutil.mode_string_v10(message)
            self.armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        elif kind == "PARAM_VALUE":
            self._parameters[message.param_id] = float(message.param_value)
        elif kind in ("MISSION_REQUEST", "MISSION_REQUEST_INT"):
            self._mission_asked = True
            if message.seq < len(self._mission):
                self.send(self._mission[message.seq])
        elif kind == "MISSION_ACK":
            self._mission_result = int(message.type)
        elif kind == "STATUSTEXT":
            self.texts.append((self.clock_ns, message.text))

    def system_id_or(self, message: Any) -> Any:
        """The vehicle's; whoever speaks first, before it is known."""
        return getattr(self, "system_id", message.get_srcSystem())

    def _take_clock(self, boot_clock_ns: int) -> None:
        if boot_clock_ns + REBOOTED_NS < self._boot_clock_ns:
            self._booted_ns = self.clock_ns
        self._boot_clock_ns = boot_clock_ns
        self.clock_ns = self._booted_ns + boot_clock_ns

    def _take_truth(self, m: Any) -> None:
        self.truth.append(
            Truth(
                self.clock_ns, m.lat_int * 1e-7, m.lon_int * 1e-7, float(m.alt),
                float(m.roll), float(m.pitch), float(m.yaw), float(m.vn), float(m.ve),
            )
        )  # fmt: skip


def _connect(address: str, wait_s: float, idle: Callable[[], object]) -> tuple[Any, Any]:
    """(connection, first heartbeat). Tries again: a rebooting autopilot answers once more
    before it goes."""
    until = time.monotonic() + wait_s
    why = f"no HEARTBEAT came in {wait_s:.0f} s"
    while time.monotonic() < until:
        try:
            connection: Any = mavutil.mavlink_connection(
                address, source_system=SYSTEM_ID, dialect="ardupilotmega", retries=0
            )
        except (OSError, ValueError) as e:
            why = str(e)
            time.sleep(RETRY_S)
            continue
        connection.autoreconnect = False
        for _ in range(HEARTBEATS_WAITED):
            idle()
            beat = connection.recv_match(type="HEARTBEAT", blocking=True, timeout=HEARTBEAT_S)
            if beat is not None and beat.get_srcComponent() == AUTOPILOT:
                return connection, beat
            if getattr(connection, "port", None) is None:
                break
        connection.close()
        time.sleep(RETRY_S)
    raise InputError(
        f"{address}: no autopilot answers ({why}); start ArduPilot's SITL, and give the address "
        "of its first serial port, as tcp:127.0.0.1:5760"
    )
