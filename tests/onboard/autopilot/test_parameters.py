"""The parameter client against an autopilot that loses messages and has a mind of its own."""

import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.autopilot.parameters import (
    INTEGER_FORMATS,
    MAX_IN_FLIGHT,
    TRIES,
    ParameterClient,
    ParameterState,
    packed_value,
    unpacked_value,
)
from onboard.telemetry_messages import ParameterValue, VehicleState

STEP_NS = 100_000_000


class Autopilot:
    """Answers as ArduPilot does: a set is echoed; an unknown name is passed over."""

    def __init__(self, values: dict[str, float], loss: float = 0.0, px4: bool = False) -> None:
        self.values = dict(values)
        self.px4 = px4
        self.limits: dict[str, float] = {}
        self.writes: list[str] = []
        self.asked = 0
        self._loss, self._random = loss, random.Random(1)
        self._waiting: list[Any] = []

    def send(self, message: Any) -> None:
        self.asked += 1
        if self._random.random() >= self._loss:
            self._waiting.append(message)

    def answers(self, now_ns: int) -> list[ParameterValue]:
        waiting, self._waiting = self._waiting, []
        events = []
        for message in waiting:
            name = message.param_id
            if name not in self.values:
                continue
            if message.get_type() == "PARAM_SET":
                value = message.param_value
                if self.px4:
                    value = unpacked_value(value, message.param_type)
                value = struct.unpack("<f", struct.pack("<f", value))[0]
                self.values[name] = min(value, self.limits.get(name, 1e38))
                self.writes.append(name)
            if self._random.random() >= self._loss:
                events.append(ParameterValue(now_ns, name, self.values[name], 6 if self.px4 else 9))
        return events


def run(client: ParameterClient, autopilot: Autopilot, seconds: float = 60.0) -> float:
    """Seconds until the client is idle."""
    for step in range(round(seconds * 10)):
        now_ns = step * STEP_NS
        client.act(now_ns)
        for event in autopilot.answers(now_ns + 20_000_000):
            client.hear(event)
        if client.is_idle:
            return step / 10
    return seconds


def test_reads_and_says_what_is_not_there() -> None:
    autopilot = Autopilot({"GPS2_TYPE": 14.0})
    client = ParameterClient(autopilot)
    client.request("GPS2_TYPE", "NO_SUCH")
    run(client, autopilot)
    known, unknown = client.outcomes(["GPS2_TYPE", "NO_SUCH"])
    assert known is not None and unknown is not None
    assert (known.state, known.value) == (ParameterState.READ, 14.0)
    assert (unknown.state, unknown.value) == (ParameterState.UNANSWERED, None)
    assert client.outcome("OTHER") is None


def test_a_write_is_read_back() -> None:
    autopilot = Autopilot({"GPS_PRIMARY": 0.0})
    client = ParameterClient(autopilot)
    client.write("GPS_PRIMARY", 1.0)
    waiting = client.outcome("GPS_PRIMARY")
    assert waiting is not None and not waiting.is_done
    assert run(client, autopilot) < 1.0
    outcome = client.outcome("GPS_PRIMARY")
    assert outcome is not None and outcome.is_done
    assert (outcome.state, outcome.value) == (ParameterState.WRITTEN, 1.0)
    assert autopilot.values == {"GPS_PRIMARY": 1.0}
    assert autopilot.asked == 3  # its type, the write, the read-back


def test_what_is_so_already_is_not_written() -> None:
    autopilot = Autopilot({"EK3_GLITCH_RAD": 0.1})
    client = ParameterClient(autopilot)
    client.write("EK3_GLITCH_RAD", 0.1000000001)
    run(client, autopilot)
    outcome = client.outcome("EK3_GLITCH_RAD")
    assert outcome is not None and outcome.state is ParameterState.WRITTEN
    assert autopilot.writes == []


def test_an_autopilot_that_keeps_its_own_value_refuses() -> None:
    autopilot = Autopilot({"A": 0.0})
    autopilot.limits["A"] = 3.0
    client = ParameterClient(autopilot)
    client.write("A", 5.0)
    run(client, autopilot)
    outcome = client.outcome("A")
    assert outcome is not None
    assert (outcome.state, outcome.value) == (ParameterState.REFUSED, 3.0)


def test_a_dead_link_gives_up() -> None:
    autopilot = Autopilot({"A": 0.0}, loss=1.0)
    client = ParameterClient(autopilot)
    client.write("A", 5.0)
    assert run(client, autopilot) == pytest.approx(0.5 * TRIES, abs=0.3)
    outcome = client.outcome("A")
    assert outcome is not None and outcome.state is ParameterState.UNANSWERED


def test_many_are_read_over_a_bad_link_a_few_at_a_time() -> None:
    names = {f"P{i}": float(i) for i in range(40)}
    autopilot = Autopilot(names, loss=0.2)
    client = ParameterClient(autopilot)
    client.request(*names)
    client.act(0)
    assert autopilot.asked == MAX_IN_FLIGHT
    assert client.progress == (0, 40)
    run(client, autopilot)
    assert client.progress == (40, 40)
    right = [o for o in client.outcomes(names) if o is not None and o.value == names[o.name]]
    assert len(right) >= 39  # at 36 % loss of question or answer, five tries: 0.6 % fail


def test_a_value_nobody_asked_for_ends_nothing() -> None:
    autopilot = Autopilot({"A": 0.0})
    client = ParameterClient(autopilot)
    client.write("A", 1.0)
    client.hear(ParameterValue(0, "A", 0.0))
    outcome = client.outcome("A")
    assert outcome is not None and outcome.state is ParameterState.WAITING
    client.hear(ParameterValue(0, "B", 0.0))
    assert client.outcome("B") is None


def test_px4_integers_go_bytewise() -> None:
    autopilot = Autopilot({"EKF2_GPS_CTRL": 7.0}, px4=True)
    client = ParameterClient(autopilot)
    client.hear(VehicleState(0, "px4", "copter", False, "MISSION"))
    client.write("EKF2_GPS_CTRL", 0.0)
    run(client, autopilot)
    client.write("EKF2_GPS_CTRL", 7.0)
    run(client, autopilot)
    assert autopilot.values == {"EKF2_GPS_CTRL": 7.0}
    assert len(autopilot.writes) == 2


@pytest.mark.parametrize("name", ["", "A" * 17, "Ä", "A\n"])
def test_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="no parameter's name"):
        ParameterClient(Autopilot({})).request(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_no_value(value: float) -> None:
    with pytest.raises(ValueError, match="no value"):
        ParameterClient(Autopilot({})).write("A", value)


@given(st.sampled_from(sorted(INTEGER_FORMATS)), st.integers(0, 2**22))
def test_packing_and_unpacking(param_type: int, number: int) -> None:
    size = {1: 8, 2: 7, 3: 16, 4: 15, 5: 22, 6: 22}[param_type]
    value = float(number % 2**size)
    assert unpacked_value(packed_value(value, param_type), param_type) == value
    if param_type in (2, 4, 6):
        assert unpacked_value(packed_value(-value, param_type), param_type) == -value


def test_floats_are_not_packed() -> None:
    assert packed_value(0.5, 9) == unpacked_value(0.5, 9) == 0.5
