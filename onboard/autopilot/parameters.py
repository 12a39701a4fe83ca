"""Reads and writes the autopilot's parameters, without a socket or a clock of its own.

The parameter protocol of MAVLink: PARAM_REQUEST_READ (#20) and PARAM_SET (#23) are answered by
PARAM_VALUE (#22), any of which may be lost. A write counts only after a read of its own said
the new value. ArduPilot carries every type as a float; PX4 lays an integer's bytes into the
float's place (MAV_PARAM_ENCODE_BYTEWISE), so a type is read before it is written.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.contract import Link
from onboard.messages import Event
from onboard.telemetry_messages import ParameterValue, VehicleState

ANSWER_WITHIN_NS = 500_000_000  # over a busy 57600 baud link an answer takes up to about 0.3 s
TRIES = 5  # of every question: with half of the messages lost, 3 % fail
MAX_IN_FLIGHT = 5  # questions at a time; ArduPilot's queue of parameter requests holds 20
NAME_LENGTH = 16  # bytes of param_id
SAME_SHARE = 1e-6  # of the value: a 32-bit float's rounding is 6e-8 of it
INTEGER_FORMATS = {  # MAV_PARAM_TYPE 1..6, each in the float's four bytes
    1: "<B3x",
    2: "<b3x",
    3: "<H2x",
    4: "<h2x",
    5: "<I",
    6: "<i",
}
REAL32 = 9


class ParameterState(str, Enum):
    WAITING = "waiting"
    READ = "read"
    WRITTEN = "written"  # and read back
    REFUSED = "refused"  # the autopilot answers, but with another value than was written
    UNANSWERED = "unanswered"  # no such parameter here, or the link is too bad


@dataclass(frozen=True)
class ParameterOutcome:
    """How far a question has got. value: what the autopilot said last; None before that."""

    name: str
    state: ParameterState
    value: float | None = None

    @property
    def is_done(self) -> bool:
        return self.state is not ParameterState.WAITING


class _Step(Enum):
    READ = 1  # the value, or for a write its type
    SET = 2
    VERIFY = 3


@dataclass
class _Question:
    name: str
    wanted: float | None  # None: a read
    step: _Step
    value: float | None = None
    param_type: int | None = None
    tries: int = 0
    rounds: int = 0  # of setting and reading back
    asked_ns: int | None = None


class ParameterClient:
    """Fed all events by `hear`, driven by `act`; asks up to MAX_IN_FLIGHT questions at once.

    A new question about a name replaces the one before. Not for several threads at once.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._open: dict[str, _Question] = {}  # in the order of asking
        self._done: dict[str, ParameterOutcome] = {}
        self._types: dict[str, int] = {}
        self._bytewise = False
        self._asked = 0

    def request(self, *names: str) -> None:
        """Asks for values. Raises ValueError: a name that no parameter can have."""
        for name in names:
            self._ask(_Question(_checked(name), None, _Step.READ))

    def write(self, name: str, value: float) -> None:
        """Sets a value and reads it back. Raises ValueError: a name or a value that no
        parameter can have."""
        if not math.isfinite(value) or abs(value) > 3.4e38:
            raise ValueError(f"{name}: {value} is no value for a parameter")
        param_type = self._types.get(_checked(name))
        step = _Step.READ if param_type is None else _Step.SET
        self._ask(_Question(name, value, step, param_type=param_type))

    def cancel(self) -> None:
        """Forgets the open questions; a value that was sent may still be set."""
        self._open.clear()

    def outcome(self, name: str) -> ParameterOutcome | None:
        """None: never asked about."""
        question = self._open.get(name)
        if question is not None:
            return ParameterOutcome(name, ParameterState.WAITING, question.value)
        return self._done.get(name)

    def outcomes(self, names: Iterable[str]) -> list[ParameterOutcome | None]:
        return [self.outcome(name) for name in names]

    @property
    def progress(self) -> tuple[int, int]:
        """(questions done, questions asked) since the client was last idle."""
        return self._asked - len(self._open), self._asked

    @property
    def is_idle(self) -> bool:
        return not self._open

    def hear(self, event: Event) -> None:
        if isinstance(event, VehicleState):
            self._bytewise = event.autopilot == "px4"
        if not isinstance(event, ParameterValue):
            return
        self._types[event.name] = event.param_type
        question = self._open.get(event.name)
        if question is None or question.asked_ns is None:
            return  # somebody else's
        question.value, question.param_type = event.value, event.param_type
        if question.wanted is None:
            self._finish(question, ParameterState.READ)
        elif question.step is not _Step.VERIFY:
            if question.step is _Step.READ and same_value(question.wanted, event.value):
                self._finish(question, ParameterState.WRITTEN)  # it has that value already
                return
            step = _Step.SET if question.step is _Step.READ else _Step.VERIFY
            self._begin(question, step, event.time_ns)
        elif same_value(question.wanted, event.value):
            self._finish(question, ParameterState.WRITTEN)
        else:  # this may be what was sent before the write came in: once more
            question.rounds += 1
            if question.rounds >= TRIES:
                self._finish(question, ParameterState.REFUSED)
            else:
                self._begin(question, _Step.SET, event.time_ns)

    def act(self, now_ns: int) -> None:
        """Asks what is due; call it ten times a second or more often."""
        for question in list(self._open.values())[:MAX_IN_FLIGHT]:
            if question.asked_ns is not None and now_ns - question.asked_ns < ANSWER_WITHIN_NS:
                continue
            if question.tries < TRIES:
                self._send(question, now_ns)
            elif question.step is _Step.SET:  # its answer may have been lost every time
                self._begin(question, _Step.VERIFY, now_ns)
            else:
                self._finish(question, ParameterState.UNANSWERED)

    def _ask(self, question: _Question) -> None:
        if not self._open:
            self._asked = 0
        self._asked += question.name not in self._open
        self._open[question.name] = question

    def _begin(self, question: _Question, step: _Step, now_ns: int) -> None:
        question.step, question.tries = step, 0
        self._send(question, now_ns)

    def _finish(self, question: _Question, state: ParameterState) -> None:
        del self._open[question.name]
        self._done[question.name] = ParameterOutcome(question.name, state, question.value)

    def _send(self, question: _Question, now_ns: int) -> None:
        question.tries += 1
        question.asked_ns = now_ns
        name = question.name.encode("ascii")
        if question.step is _Step.SET:
            assert question.wanted is not None and question.param_type is not None
            packed = question.wanted
            if self._bytewise:
                packed = packed_value(question.wanted, question.param_type)
            self._link.send(
                mavlink.MAVLink_param_set_message(
                    target_system=0,
                    target_component=mavlink.MAV_COMP_ID_AUTOPILOT1,
                    param_id=name,
                    param_value=packed,
                    param_type=question.param_type,
                )
            )
        else:
            self._link.send(
                mavlink.MAVLink_param_request_read_message(
                    target_system=0,
                    target_component=mavlink.MAV_COMP_ID_AUTOPILOT1,
                    param_id=name,
                    param_index=-1,
                )
            )


def same_value(a: float, b: float) -> bool:
    """Whether two parameter values are equal but for a 32-bit float's rounding."""
    return math.isclose(a, b, rel_tol=SAME_SHARE, abs_tol=1e-9)


def packed_value(value: float, param_type: int) -> float:
    """The float whose bytes are the integer's (MAV_PARAM_ENCODE_BYTEWISE); a float as it is."""
    form = INTEGER_FORMATS.get(param_type)
    if form is None:
        return value
    bits = 8 * struct.calcsize(form.replace("x", "").rstrip("0123456789"))
    whole = round(value) % 2**bits
    if form[1].islower() and whole >= 2 ** (bits - 1):
        whole -= 2**bits
    return float(struct.unpack("<f", struct.pack(form, whole))[0])


def unpacked_value(value: float, param_type: int) -> float:
    """The number that `packed_value` packed."""
    form = INTEGER_FORMATS.get(param_type)
    return value if form is None else float(struct.unpack(form, struct.pack("<f", value))[0])


def _checked(name: str) -> str:
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= NAME_LENGTH):
        raise ValueError(f"'{name}' is no parameter's name; give 1 to 16 ASCII characters")
    return name
