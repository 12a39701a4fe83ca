"""Which messages each link gets, and how often: SET_MESSAGE_INTERVAL and REQUEST_DATA_STREAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tools.sim.double.reports import REPORTS

if TYPE_CHECKING:
    from tools.sim.double.autopilot import Autopilot

PLANE_MAX_HZ = 40.0  # near its loop's 50 Hz it refuses, with a text, and says "accepted"
OF_STREAM = {  # MAV_DATA_STREAM
    mavlink.MAV_DATA_STREAM_EXTENDED_STATUS: (
        mavlink.MAVLINK_MSG_ID_SYS_STATUS,
        mavlink.MAVLINK_MSG_ID_MISSION_CURRENT,
        mavlink.MAVLINK_MSG_ID_GPS_RAW_INT,
        mavlink.MAVLINK_MSG_ID_GPS2_RAW,
    ),
    mavlink.MAV_DATA_STREAM_POSITION: (
        mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
        mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED,
    ),
    mavlink.MAV_DATA_STREAM_EXTRA1: (
        mavlink.MAVLINK_MSG_ID_ATTITUDE,
        mavlink.MAVLINK_MSG_ID_SIMSTATE,
    ),
    mavlink.MAV_DATA_STREAM_EXTRA2: (mavlink.MAVLINK_MSG_ID_VFR_HUD,),
    mavlink.MAV_DATA_STREAM_EXTRA3: (
        mavlink.MAVLINK_MSG_ID_SYSTEM_TIME,
        mavlink.MAVLINK_MSG_ID_WIND,
        mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT,
    ),
}


class Streams:
    """Of one link. Forgotten when the autopilot boots."""

    def __init__(self) -> None:
        self._period_ns: dict[int, int] = {}
        self._next_ns: dict[int, int] = {}

    def interval_us(self, message: int) -> int:
        """-1 when it is not sent."""
        return self._period_ns[message] // 1000 if message in self._period_ns else -1

    def ask(self, autopilot: Autopilot, message: int, interval_us: float) -> bool:
        """-1 stops it, 0 is its default: not sent. False for a message that it does not have."""
        if message not in REPORTS:
            autopilot.tell(f"No ap_message for mavlink id ({message})")
            return False
        if interval_us <= 0.0:
            self._period_ns.pop(message, None)
            return True
        hz = 1e6 / interval_us
        if autopilot.plane and hz > PLANE_MAX_HZ:
            autopilot.tell(f"Requested rate {hz:.0f} Hz too fast")
            return True
        self._period_ns[message] = round(interval_us * 1000)
        self._next_ns[message] = autopilot.now_ns
        return True

    def ask_stream(self, autopilot: Autopilot, stream: int, hz: float) -> None:
        every = stream == mavlink.MAV_DATA_STREAM_ALL
        for number, messages in OF_STREAM.items():
            if every or number == stream:
                for message in messages:
                    self.ask(autopilot, message, 1e6 / hz if hz > 0 else -1)

    def due(self, now_ns: int) -> list[int]:
        """Message numbers, called every step. A rate above the steps' is sent every step."""
        found = []
        for message, at_ns in self._next_ns.items():
            if at_ns <= now_ns and message in self._period_ns:
                period_ns = self._period_ns[message]
                self._next_ns[message] = max(at_ns + period_ns, now_ns - period_ns + 1)
                found.append(message)
        return found
