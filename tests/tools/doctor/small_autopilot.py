"""Just enough of an autopilot for the doctor: real MAVLink over a real TCP socket."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

STREAMED = (
    mavlink.MAVLINK_MSG_ID_ATTITUDE,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT,
)


class SmallAutopilot:
    """Serves one client at a time until left. written: what PARAM_SET set, in order."""

    def __init__(
        self,
        parameters: dict[str, float] | None = None,
        armed: bool = False,
        streamed: tuple[int, ...] = STREAMED,
        place: tuple[float, float] = (0.0, 0.0),
        fix_type: int = 6,
        system: int = 1,
        silent: bool = False,
        stubborn: tuple[str, ...] = (),
        answers_time: bool = True,
        has_origin: bool = False,
        version: tuple[int, int, int] = (4, 7, 0),
    ) -> None:
        self.parameters = dict(parameters or {})
        self.written: list[tuple[str, float]] = []
        self.armed = armed
        self._streamed, self._place, self._fix_type = streamed, place, fix_type
        self._silent, self._stubborn, self._answers_time = silent, stubborn, answers_time
        self._has_origin, self._version = has_origin, version
        self._mav = mavlink.MAVLink(None, srcSystem=system, srcComponent=1)
        self._mav.robust_parsing = True
        self._interval_s: dict[int, float] = {}
        self._due_s: dict[int, float] = {}
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.address = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> SmallAutopilot:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.settimeout(0.005)
        beat_s = 0.0
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                data = client.recv(4096)
                if not data:
                    return
                for message in self._mav.parse_buffer(data) or []:
                    for answer in self._answers(message):
                        client.sendall(answer.pack(self._mav))
            now_s = time.monotonic()
            if self._silent:
                continue
            if now_s - beat_s >= 0.5:
                beat_s = now_s
                client.sendall(self._heartbeat().pack(self._mav))
            for number, interval_s in self._interval_s.items():
                if now_s >= self._due_s[number]:
                    self._due_s[number] = max(self._due_s[number] + interval_s, now_s - 0.5)
                    client.sendall(self._stream(number).pack(self._mav))

    def _heartbeat(self) -> Any:
        mode = 1 | (mavlink.MAV_MODE_FLAG_SAFETY_ARMED if self.armed else 0)
        return mavlink.MAVLink_heartbeat_message(2, 3, mode, 0, 4, 3)

    def _stream(self, number: int) -> Any:
        lat, lon = (round(v * 1e7) for v in self._place)
        if number == mavlink.MAVLINK_MSG_ID_ATTITUDE:
            return mavlink.MAVLink_attitude_message(0, 0, 0, 0, 0, 0, 0)
        if number == mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT:
            return mavlink.MAVLink_global_position_int_message(0, lat, lon, 0, 0, 0, 0, 0, 0)
        if number == mavlink.MAVLINK_MSG_ID_GPS2_RAW:
            return mavlink.MAVLink_gps2_raw_message(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        return mavlink.MAVLink_gps_raw_int_message(0, self._fix_type, lat, lon, 0, 0, 0, 0, 0, 12)

    def _answers(self, message: Any) -> list[Any]:
        kind = message.get_type()
        if kind == "TIMESYNC" and self._answers_time and not message.tc1:
            return [mavlink.MAVLink_timesync_message(time.monotonic_ns(), message.ts1)]
        if kind == "PARAM_REQUEST_READ":
            return self._value(message.param_id)
        if kind == "PARAM_SET" and message.param_id in self.parameters:
            self.written.append((message.param_id, message.param_value))
            if message.param_id not in self._stubborn:
                self.parameters[message.param_id] = message.param_value
            return self._value(message.param_id)
        if kind == "COMMAND_LONG":
            return self._command(message)
        return []

    def _value(self, name: str) -> list[Any]:
        if name not in self.parameters:
            return []
        value = self.parameters[name]
        return [mavlink.MAVLink_param_value_message(name.encode(), value, 9, 1000, 0)]

    def _command(self, message: Any) -> list[Any]:
        number = int(message.param1)
        if message.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL and number in self._streamed:
            self._interval_s[number] = message.param2 * 1e-6
            self._due_s[number] = time.monotonic()
        if message.command != mavlink.MAV_CMD_REQUEST_MESSAGE:
            return []
        if number in self._streamed:
            return [self._stream(number)]
        if number == mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION:
            major, minor, patch = self._version
            packed = major << 24 | minor << 16 | patch << 8 | 255
            return [
                mavlink.MAVLink_autopilot_version_message(
                    0, packed, 0, 0, 0, [0] * 8, [0] * 8, [0] * 8, 0, 0, 0
                )
            ]
        if number == mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN and self._has_origin:
            return [mavlink.MAVLink_gps_global_origin_message(470000000, 85000000, 0)]
        return []
