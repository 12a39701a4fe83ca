"""The session over a real socket: an autopilot that streams, is asked, reboots, goes away."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.framing import FrameSplitter
from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.session import AutopilotSession
from onboard.autopilot.signing import SigningMavlink
from onboard.flight_settings import LinkSettings
from onboard.messages import Event
from onboard.telemetry_messages import Attitude, VehicleState


class Autopilot:
    """Speaks MAVLink over UDP in a thread: heartbeats, what it was asked for, TIMESYNC."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.booted_ns = time.monotonic_ns() - 100_000_000_000
        self.silent = False
        self.commands = 0
        self.answers: list[Any] = []
        self._rates_hz: dict[int, float] = {}
        self._mavlink = SigningMavlink(7, 1)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._socket.settimeout(0.005)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def reboot(self) -> None:
        self._rates_hz.clear()
        self.booted_ns = time.monotonic_ns()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _send(self, message: Any) -> None:
        if not self.silent:
            with contextlib.suppress(OSError):
                self._socket.send(self._mavlink.packed(message))

    def _run(self) -> None:
        next_beat_s = next_attitude_s = 0.0
        splitter = FrameSplitter()
        while not self._stop.is_set():
            now_s = time.monotonic()
            boot_ns = time.monotonic_ns() - self.booted_ns
            if now_s >= next_beat_s:
                next_beat_s = now_s + 0.2
                self._send(mavlink.MAVLink_heartbeat_message(2, 3, 0x81, 5, 4, 3))
                self._send(mavlink.MAVLink_timesync_message(0, boot_ns))
            attitude_hz = self._rates_hz.get(mavlink.MAVLINK_MSG_ID_ATTITUDE)
            if attitude_hz and now_s >= next_attitude_s:
                next_attitude_s = now_s + 1.0 / attitude_hz
                attitude = (boot_ns // 1_000_000, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
                self._send(mavlink.MAVLink_attitude_message(*attitude))
            try:
                data = self._socket.recv(4096)
            except OSError:
                continue
            for raw in splitter.split(data):
                self._hear(self._mavlink.decode(raw.data))

    def _hear(self, message: Any) -> None:
        if message.get_type() == "COMMAND_LONG" and message.target_system == 7:
            self.commands += 1
            self._rates_hz[int(message.param1)] = 1e6 / message.param2
            self._send(mavlink.MAVLink_command_ack_message(511, 0))
        elif message.get_type() == "TIMESYNC":
            if message.tc1:
                self.answers.append(message)
            else:
                boot_ns = time.monotonic_ns() - self.booted_ns
                self._send(mavlink.MAVLink_timesync_message(boot_ns, message.ts1))


@pytest.fixture
def flight() -> Iterator[tuple[AutopilotSession, Autopilot]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    link = MavlinkLink(LinkSettings(f"udpin:127.0.0.1:{port}"))
    autopilot = Autopilot(("127.0.0.1", port))
    yield AutopilotSession(link), autopilot
    autopilot.close()
    link.close()


def until(
    session: AutopilotSession, happened: Callable[[], bool], timeout_s: float = 10.0
) -> list[Event]:
    events: list[Event] = []
    end = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end, session.status
        events += session.poll(0.02)
    return events


def streams(session: AutopilotSession) -> bool:
    return session.status.rates_hz.get("ATTITUDE", 0.0) > 20.0


def test_a_session_from_the_first_heartbeat_through_a_reboot_and_a_lost_cable(
    flight: tuple[AutopilotSession, Autopilot],
) -> None:
    session, autopilot = flight
    assert not session.status.is_connected
    events = until(session, lambda: session.status.is_synced and streams(session))
    vehicles = [e for e in events if isinstance(e, VehicleState)]
    assert (vehicles[0].autopilot, vehicles[0].kind, vehicles[0].armed) == (
        "ardupilot",
        "copter",
        True,
    )
    attitudes = [e for e in events if isinstance(e, Attitude)]
    assert abs(attitudes[-1].time_ns - time.monotonic_ns()) < 1_000_000_000
    assert session.status.clock_uncertainty_ms < 50.0
    until(session, lambda: bool(autopilot.answers))
    answer = autopilot.answers[0]
    assert abs(answer.tc1 - time.monotonic_ns()) < 10_000_000_000
    assert answer.ts1 > 0

    asked = autopilot.commands
    autopilot.reboot()
    until(session, lambda: session.status.clock_restarts == 1)
    until(session, lambda: autopilot.commands > asked + 5)
    until(session, lambda: session.status.is_synced and streams(session))

    autopilot.silent = True
    until(session, lambda: not session.status.is_connected)
    autopilot.silent = False
    until(session, lambda: session.status.is_connected and streams(session))
    assert session.status.clock_restarts == 1
