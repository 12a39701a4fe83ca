"""Streams asked for, counted and asked for again, against scripted autopilots."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.streams import (
    BUDGET_SHARE,
    Stream,
    StreamRequester,
    needed_streams,
)
from onboard.telemetry_messages import VehicleState

S = 1_000_000_000
STEP_NS = 10_000_000
COPTER = VehicleState(0, "ardupilot", "copter", False, "LOITER")
STREAMS = (Stream("ATTITUDE", 50.0), Stream("GPS_RAW_INT", 5.0), Stream("TERRAIN_REPORT", 1.0))


class Autopilot:
    """Streams what it was asked for, and acknowledges."""

    def __init__(self, unknown: tuple[str, ...] = (), max_hz: float = 1e9) -> None:
        self.asked: list[tuple[str, float]] = []
        self.rates_hz: dict[str, float] = {}
        self.deaf = False
        self.unknown, self.max_hz = unknown, max_hz
        self._acks: list[Any] = []

    def send(self, message: Any) -> None:
        assert message.command == 511
        name = mavlink.mavlink_map[int(message.param1)].msgname
        hz = 1e6 / message.param2
        self.asked.append((name, hz))
        if self.deaf:
            return
        refused = name in self.unknown
        if not refused:
            self.rates_hz[name] = hz if hz <= self.max_hz else 0.0
        self._acks.append(mavlink.MAVLink_command_ack_message(511, 4 if refused else 0))

    def run(self, requester: StreamRequester, begin_s: float, seconds: float) -> None:
        for step in range(round(seconds * S / STEP_NS)):
            now_ns = round(begin_s * S) + step * STEP_NS
            acks, self._acks = self._acks, []
            for ack in acks:
                requester.acknowledged(ack, now_ns)
            for name, hz in self.rates_hz.items():
                if hz and (now_ns * hz // S) != ((now_ns - STEP_NS) * hz // S):
                    requester.arrived(name, now_ns)
            requester.act(now_ns)


def begun(autopilot: Autopilot) -> StreamRequester:
    requester = StreamRequester(autopilot)
    requester.begin(STREAMS, 0)
    return requester


def test_every_stream_is_asked_for_once_and_comes() -> None:
    autopilot = Autopilot()
    requester = begun(autopilot)
    autopilot.run(requester, 0, 60)
    assert autopilot.asked == [(s.message, pytest.approx(s.hz)) for s in STREAMS]
    rates = requester.rates_hz(60 * S)
    assert rates["ATTITUDE"] == pytest.approx(50.0, rel=0.05)


def test_a_deaf_autopilot_is_asked_three_times_a_message() -> None:
    autopilot = Autopilot()
    autopilot.deaf = True
    requester = begun(autopilot)
    autopilot.run(requester, 0, 10)
    assert [name for name, _ in autopilot.asked[:4]] == 3 * ["ATTITUDE"] + ["GPS_RAW_INT"]
    assert len(autopilot.asked) <= 10
    autopilot.deaf = False
    autopilot.run(requester, 10, 60)
    assert set(autopilot.rates_hz) == {s.message for s in STREAMS}


def test_what_is_refused_is_not_asked_for_over_and_over() -> None:
    """ArduPilot shows the pilot a line each time."""
    autopilot = Autopilot(unknown=("TERRAIN_REPORT",))
    requester = begun(autopilot)
    autopilot.run(requester, 0, 100)
    assert sum(name == "TERRAIN_REPORT" for name, _ in autopilot.asked) == 1
    assert requester.rates_hz(100 * S)["TERRAIN_REPORT"] == 0.0


def test_a_rate_that_is_acknowledged_and_not_streamed_is_halved() -> None:
    autopilot = Autopilot(max_hz=20.0)
    requester = begun(autopilot)
    autopilot.run(requester, 0, 30)
    asked = [hz for name, hz in autopilot.asked if name == "ATTITUDE"]
    assert asked == [pytest.approx(50.0), pytest.approx(25.0), pytest.approx(12.5)]
    assert autopilot.rates_hz["ATTITUDE"] == pytest.approx(12.5)


def test_a_stream_that_stops_or_slows_is_asked_for_again() -> None:
    autopilot = Autopilot()
    requester = begun(autopilot)
    autopilot.run(requester, 0, 20)
    del autopilot.rates_hz["ATTITUDE"]
    autopilot.run(requester, 20, 10)
    assert "ATTITUDE" in autopilot.rates_hz
    autopilot.run(requester, 30, 10)
    autopilot.rates_hz["GPS_RAW_INT"] = 1.0  # by a ground station
    autopilot.run(requester, 40, 40)
    assert autopilot.rates_hz["GPS_RAW_INT"] == pytest.approx(5.0)


def test_a_reboot_asks_for_everything_anew() -> None:
    autopilot = Autopilot()
    requester = begun(autopilot)
    autopilot.run(requester, 0, 5)
    autopilot.rates_hz.clear()
    requester.begin(STREAMS, 5 * S)
    autopilot.run(requester, 5, 1)
    assert set(autopilot.rates_hz) == {s.message for s in STREAMS}


def test_acknowledgements_of_other_commands_mean_nothing() -> None:
    autopilot = Autopilot()
    autopilot.deaf = True
    requester = begun(autopilot)
    requester.act(0)
    requester.acknowledged(mavlink.MAVLink_command_ack_message(400, 0), 0)
    requester.acknowledged(mavlink.MAVLink_command_ack_message(511, 5), 0)  # in progress
    requester.act(STEP_NS)
    assert len(autopilot.asked) == 1


def test_what_a_vehicle_is_asked_for() -> None:
    copter = {s.message: s.hz for s in needed_streams(COPTER)}
    assert copter["ATTITUDE"] == 50.0
    assert "EKF_STATUS_REPORT" in copter and "ESTIMATOR_STATUS" not in copter
    plane = {
        s.message: s.hz for s in needed_streams(VehicleState(0, "ardupilot", "plane", True, ""))
    }
    assert plane["ATTITUDE"] == 25.0
    px4 = {s.message for s in needed_streams(VehicleState(0, "px4", "copter", True, ""))}
    assert {"ESTIMATOR_STATUS", "ALTITUDE", "WIND_COV"} <= px4
    assert not {"EKF_STATUS_REPORT", "WIND", "TERRAIN_REPORT"} & px4


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("baud", [38_400, 57_600, 115_200, 921_600])
def test_a_slow_line_gets_what_it_carries(baud: int, signed: bool) -> None:
    streams = needed_streams(COPTER, baud / 10, signed)
    signature = 13 if signed else 0
    total = sum(s.bytes_per_s + s.hz * signature for s in streams)
    slowest_possible = all(s.hz < 10.0 for s in streams)
    assert total <= BUDGET_SHARE * baud / 10 or slowest_possible
    hz = {s.message: s.hz for s in streams}
    assert hz["ATTITUDE"] >= (12.5 if baud >= 57_600 else 5.0)
    if baud >= 115_200:
        assert hz["ATTITUDE"] == 50.0
