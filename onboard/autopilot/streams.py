"""Which of the autopilot's messages are needed how often, and that they come.

Asked for with SET_MESSAGE_INTERVAL (MAV_CMD 511), one after another, as COMMAND_ACK doesn't say
which message it means. A stream that stays away or comes too slowly is asked for again: after
a reboot at once, else with patience, for much of the list some vehicles never have. ArduPilot's
plane acknowledges a rate near its loop's 50 Hz and then doesn't stream it: a stream that was
accepted and stays away is asked for at half the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.contract import Link
from onboard.telemetry_messages import VehicleState

SET_MESSAGE_INTERVAL = mavlink.MAV_CMD_SET_MESSAGE_INTERVAL  # 511
ACCEPTED, IN_PROGRESS = 0, 5  # MAV_RESULT
ACK_WITHIN_NS = 1_000_000_000
TRIES = 3
CHECKED_AFTER_NS = 5_000_000_000  # of a stream, from its acknowledgement
ASKED_AGAIN_NS = 30_000_000_000  # what is not there may come: terrain, a second receiver
MISSING_NS = 3_000_000_000  # a stream that came and stopped
MIN_RATE_SHARE = 0.6  # of the rate asked for; below, it was set by somebody else
SLOWEST_HALVED_HZ = 10.0
OVERHEAD_BYTES, SIGNATURE_BYTES = 12, 13  # of a MAVLink 2 frame
# ArduPilot tells the pilot's screen of every request for a message that it does not have.
REFUSED_AGAIN_NS = 3600 * 1_000_000_000
BUDGET_SHARE = 0.6  # of the line: parameters, texts and the ground station's share it


@dataclass(frozen=True)
class Stream:
    message: str
    hz: float
    autopilot: str = ""  # only this one has it

    @property
    def message_id(self) -> int:
        return int(getattr(mavlink, f"MAVLINK_MSG_ID_{self.message}"))

    @property
    def bytes_per_s(self) -> float:
        """Unsigned, at full length."""
        size = mavlink.mavlink_map[self.message_id].unpacker.size
        return self.hz * float(size + OVERHEAD_BYTES)


# The order is that of asking: what a position needs comes first.
COPTER_STREAMS = (
    Stream("ATTITUDE", 50.0),  # 100 deg/s turn 2 degrees between two, interpolated
    Stream("GLOBAL_POSITION_INT", 10.0),
    Stream("GPS_RAW_INT", 5.0),  # the receiver's own rate; a loss shows within 0.3 s
    Stream("GPS2_RAW", 5.0),
    Stream("EKF_STATUS_REPORT", 4.0, "ardupilot"),
    Stream("ESTIMATOR_STATUS", 4.0, "px4"),
    Stream("SYS_STATUS", 2.0),
    Stream("DISTANCE_SENSOR", 10.0),
    Stream("ALTITUDE", 5.0, "px4"),
    Stream("TERRAIN_REPORT", 1.0, "ardupilot"),
    Stream("GPS_GLOBAL_ORIGIN", 1.0),  # after a reboot nothing local is told before it
    Stream("VFR_HUD", 4.0),
    Stream("WIND", 1.0, "ardupilot"),
    Stream("WIND_COV", 1.0, "px4"),
    Stream("GNSS_INTEGRITY", 1.0),
)
PLANE_ATTITUDE_HZ = 25.0  # half of ArduPlane's loop rate


def needed_streams(
    vehicle: VehicleState, wire_bytes_per_s: float | None = None, signed: bool = False
) -> tuple[Stream, ...]:
    """For this vehicle, slowed down until a wire's budget holds them: the fastest is halved
    first, never below 5 Hz."""
    streams = [s for s in COPTER_STREAMS if s.autopilot in ("", vehicle.autopilot)]
    if vehicle.kind == "plane":
        streams[0] = Stream("ATTITUDE", PLANE_ATTITUDE_HZ)
    if wire_bytes_per_s is not None:
        while _total(streams, signed) > BUDGET_SHARE * wire_bytes_per_s:
            fastest = max(range(len(streams)), key=lambda i: streams[i].hz)
            if streams[fastest].hz < 10.0:
                break
            slower = streams[fastest]
            streams[fastest] = Stream(slower.message, slower.hz / 2.0, slower.autopilot)
    return tuple(streams)


def _total(streams: list[Stream], signed: bool) -> float:
    """Bytes a second."""
    return sum(s.bytes_per_s + (SIGNATURE_BYTES * s.hz if signed else 0.0) for s in streams)


@dataclass
class _Request:
    stream: Stream
    hz: float
    due_ns: int
    tries: int = 0
    accepted: bool | None = None
    count: int = 0  # since counted_from_ns
    counted_from_ns: int = 0
    last_ns: int | None = None


class StreamRequester:
    """Fed the arrival of every message by `arrived`, every COMMAND_ACK by `acknowledged`, and
    driven by `act`. Not for several threads at once."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._requests: dict[str, _Request] = {}
        self._asking: _Request | None = None
        self._asked_ns = 0

    def begin(self, streams: tuple[Stream, ...], now_ns: int) -> None:
        """Asks for all of them, anew after a reboot."""
        self._requests = {s.message: _Request(s, s.hz, now_ns) for s in streams}
        self._asking = None

    def arrived(self, message_type: str, arrival_ns: int) -> None:
        request = self._requests.get(message_type)
        if request is not None:
            request.count += 1
            request.last_ns = arrival_ns

    def acknowledged(self, message: Any, arrival_ns: int) -> None:
        request = self._asking
        if request is None or message.command != SET_MESSAGE_INTERVAL:
            return
        if message.result == IN_PROGRESS:
            return
        self._answered(request, message.result == ACCEPTED, arrival_ns)
        if message.result != ACCEPTED:
            request.due_ns = arrival_ns + REFUSED_AGAIN_NS

    def act(self, now_ns: int) -> None:
        """Asks what is due; call it ten times a second or more often."""
        request = self._asking
        if request is not None:
            if now_ns - self._asked_ns < ACK_WITHIN_NS:
                return
            if request.tries < TRIES:
                self._ask(request, now_ns)
                return
            self._answered(request, False, now_ns)
        for request in self._requests.values():
            self._check(request, now_ns)
            if now_ns >= request.due_ns:
                request.tries = 0
                self._ask(request, now_ns)
                return

    def rates_hz(self, now_ns: int) -> dict[str, float]:
        """What comes, by message; 0.0 where nothing does."""
        rates = {}
        for name, request in self._requests.items():
            seconds = max(1e-9, (now_ns - request.counted_from_ns) * 1e-9)
            is_there = request.last_ns is not None and not _has_stopped(request, now_ns)
            rates[name] = request.count / seconds if is_there else 0.0
        return rates

    def _ask(self, request: _Request, now_ns: int) -> None:
        request.tries += 1
        self._asking, self._asked_ns = request, now_ns
        self._link.send(
            mavlink.MAVLink_command_long_message(
                target_system=0,
                target_component=mavlink.MAV_COMP_ID_AUTOPILOT1,
                command=SET_MESSAGE_INTERVAL,
                confirmation=0,
                param1=request.stream.message_id,
                param2=1e6 / request.hz,
                param3=0.0,
                param4=0.0,
                param5=0.0,
                param6=0.0,
                param7=0.0,
            )
        )

    def _answered(self, request: _Request, accepted: bool, now_ns: int) -> None:
        self._asking = None
        request.accepted = accepted
        request.count, request.counted_from_ns = 0, now_ns
        request.due_ns = now_ns + ASKED_AGAIN_NS

    def _check(self, request: _Request, now_ns: int) -> None:
        """Once a stream's rate can be judged, and again later; sooner where it stopped."""
        if request.accepted is None:
            return
        counted_ns = now_ns - request.counted_from_ns
        if counted_ns < CHECKED_AFTER_NS:
            return
        if request.count == 0:
            if request.accepted and request.last_ns is None and request.hz > SLOWEST_HALVED_HZ:
                request.hz /= 2.0
                request.due_ns = now_ns
        elif _has_stopped(request, now_ns) or (
            (request.count + 1) * 1e9 / counted_ns < MIN_RATE_SHARE * request.hz
        ):
            request.due_ns = min(request.due_ns, now_ns)
        elif now_ns >= request.due_ns:  # all is well: count anew
            request.count, request.counted_from_ns = 0, now_ns
            request.due_ns = now_ns + ASKED_AGAIN_NS


def _has_stopped(request: _Request, now_ns: int) -> bool:
    silent_ns = max(MISSING_NS, round(3e9 / request.hz))
    return request.last_ns is not None and now_ns - request.last_ns > silent_ns
