"""An autopilot at the other end of a real UDP socket, hovering over one place: enough of one for
the companion's threads to have something to talk to."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

os.environ["MAVLINK20"] = "1"
from pymavlink.dialects.v20 import all as mavlink

TICK_S = 0.02
COPTER, ARDUPILOT, ARMED = 2, 3, 128


@dataclass
class AutopilotPeer:
    """Sends to whoever sent to it. received: its messages with the monotonic time of arrival."""

    lat_deg: float
    lon_deg: float
    agl_m: float
    yaw_deg: float = 0.0
    amsl_m: float = 400.0
    fix_type: int = 3
    received: list[tuple[float, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(TICK_S)
        self.address = f"udpout:127.0.0.1:{self._socket.getsockname()[1]}"
        self._mav = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self._parser = mavlink.MAVLink(None)
        self._parser.robust_parsing = True
        self._to: Any = None
        self._boot_s = time.monotonic() - 100.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> AutopilotPeer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def of(self, name: str) -> list[tuple[float, Any]]:
        return [(t, m) for t, m in self.received if m.get_type() == name]

    def wait_for(self, what: Any, timeout_s: float) -> bool:
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if what(self):
                return True
            time.sleep(0.02)
        return False

    def _run(self) -> None:
        tick = 0
        due_s = time.monotonic()
        while not self._stop.is_set():
            self._listen()
            now_s = time.monotonic()
            if now_s < due_s:
                continue
            due_s += TICK_S
            tick += 1
            if self._to is not None:
                for message in self._due(tick):
                    self._send(message)

    def _listen(self) -> None:
        try:
            data, self._to = self._socket.recvfrom(65536)
        except OSError:
            return
        now_s = time.monotonic()
        for message in self._parser.parse_buffer(data) or []:
            self.received.append((now_s, message))
            if message.get_type() == "TIMESYNC" and message.tc1 == 0:
                boot_ns = round((now_s - self._boot_s) * 1e9)
                self._send(mavlink.MAVLink_timesync_message(boot_ns, message.ts1))
            elif message.get_type() == "COMMAND_LONG":
                self._send(mavlink.MAVLink_command_ack_message(message.command, 0))

    def _send(self, message: Any) -> None:
        try:
            self._socket.sendto(message.pack(self._mav), self._to)
            self._mav.seq = (self._mav.seq + 1) % 256
        except OSError:
            pass

    def _due(self, tick: int) -> list[Any]:
        boot_ms = round((time.monotonic() - self._boot_s) * 1e3)
        lat, lon = round(self.lat_deg * 1e7), round(self.lon_deg * 1e7)
        amsl_mm, agl_mm = round(self.amsl_m * 1e3), round(self.agl_m * 1e3)
        yaw = math.radians(self.yaw_deg)
        due = [mavlink.MAVLink_attitude_message(boot_ms, 0.0, 0.0, yaw, 0.0, 0.0, 0.0)]
        if tick % 5 == 0:
            due.append(
                mavlink.MAVLink_global_position_int_message(
                    boot_ms, lat, lon, amsl_mm, agl_mm, 0, 0, 0, 65535
                )
            )
        if tick % 10 == 0:
            has_fix = self.fix_type >= 3
            due.append(
                mavlink.MAVLink_gps_raw_int_message(
                    boot_ms * 1000, self.fix_type, lat if has_fix else 0, lon if has_fix else 0,
                    amsl_mm, 80, 100, 0, 0, 14 if has_fix else 3, 0, 1500, 2000, 300,
                )
            )  # fmt: skip
        if tick % 25 == 0:
            due.append(mavlink.MAVLink_heartbeat_message(COPTER, ARDUPILOT, ARMED, 4, 4, 3))
        return due
