"""The autopilot's clock on the host's: offset and drift between its time since boot and the
host's monotonic nanoseconds.

TIMESYNC (#111) goes both ways. What we ask comes back with the autopilot's time in it, which
lay somewhere between our asking and the answer's arrival: the quickest exchanges say most,
and a line through the quickest of each few seconds gives the drift. Until that is known, the
quickest arrival of any message with a time in it serves, less what a message takes at least.

The autopilot's own clock starts anew when it reboots; a pause of the whole autopilot (a
simulation that was stopped) looks the same and is treated so.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

ASK_EVERY_NS = 1_000_000_000
ASK_EVERY_UNSYNCED_NS = 200_000_000
SYNCED_AFTER = 3  # exchanges: one alone may have been held up on one way
SYNCED_WITHIN_NS = 50_000_000  # a vehicle turning 100 deg/s turns 5 degrees
MAX_ROUND_TRIP_NS = 1_000_000_000  # slower answers say nothing, and may be to an older question
CLOCK_STEP_NS = 50_000  # resolution and scheduling of either side
GROUP_NS = 5_000_000_000  # of these the quickest exchange is kept
GROUPS = 60  # five minutes
DRIFT_SIGMA = 50e-6  # before anything is known: crystals of both sides, over temperature
JUMP_NS = 2_000_000_000  # no link in use delays a message so long
JUMPS_BEFORE_RESTART = 3  # exchanges in a row that contradict the line
JUMPED_FOR_NS = 1_000_000_000  # messages for so long: a burst after a stall is shorter
MIN_DELAY_NS = 5_000_000  # of the quickest message: measured on USB 1-3 ms, at 57600 baud 7 ms
ARRIVALS_NS = 10_000_000_000  # the quickest of these last counts
WRAP_NS = 2**32 * 1_000_000  # time_boot_ms has 32 bits, 49.7 days
MAX_BOOT_NS = 2**60  # 36 years


@dataclass(frozen=True)
class _Exchange:
    """offset: host minus autopilot; its true value lies within bound_ns of it."""

    host_ns: int
    offset_ns: int
    bound_ns: int


@dataclass(frozen=True)
class _Line:
    """The offset's course: at_ns in host time."""

    at_ns: int
    offset_ns: int
    drift: float
    drift_sigma: float

    def offset_at(self, host_ns: int) -> int:
        return self.offset_ns + round(self.drift * (host_ns - self.at_ns))


class TimeSync:
    """One autopilot's clock. All times are nanoseconds; `now_ns` and `arrival_ns` are host time.
    Not for several threads at once."""

    def __init__(self) -> None:
        self.restarts = 0  # reboots, and pauses of the autopilot's clock by over JUMP_NS
        self.slips = 0  # smaller steps, as of a simulation that lacks processor time
        self._begin()

    def _begin(self) -> None:
        self._asked: deque[int] = deque(maxlen=16)
        self._groups: deque[_Exchange] = deque(maxlen=GROUPS)
        self._count = 0
        self._line: _Line | None = None
        self._contradictions: list[_Exchange] = []
        self._quickest: deque[tuple[int, int]] = deque()  # (host time, arrival minus boot)
        self._jumped_since_ns: int | None = None

    @property
    def is_synced(self) -> bool:
        """False: times come from arrivals alone."""
        return (
            self._count >= SYNCED_AFTER
            and self._line is not None
            and self.uncertainty_ns(self._line.at_ns) <= SYNCED_WITHIN_NS
        )

    @property
    def drift_ppm(self) -> float:
        """How much faster the host's clock runs than the autopilot's."""
        return self._line.drift * 1e6 if self._line else 0.0

    def uncertainty_ns(self, now_ns: int) -> int:
        """The offset is right within this, delays however unequal; before the first exchange
        nothing bounds it: JUMP_NS."""
        if self._line is None:
            return JUMP_NS
        best, within_ns = self._best(self._line, now_ns)
        line_ns = self._line.offset_at(best.host_ns)
        return within_ns + min(within_ns, abs(line_ns - best.offset_ns))

    def question(self, now_ns: int) -> Any | None:
        """The TIMESYNC to send now; None: not due."""
        settled = self.is_synced and not self._contradictions
        every_ns = ASK_EVERY_NS if settled else ASK_EVERY_UNSYNCED_NS
        if self._asked and 0 <= now_ns - self._asked[-1] < every_ns:
            return None
        self._asked.append(now_ns)
        return mavlink.MAVLink_timesync_message(tc1=0, ts1=now_ns)

    def hear(self, message: Any, arrival_ns: int) -> Any | None:
        """Takes in a TIMESYNC of the autopilot; the answer to send where it asks itself."""
        if message.tc1 == 0:
            return mavlink.MAVLink_timesync_message(tc1=arrival_ns, ts1=message.ts1)
        if message.ts1 in self._asked and 0 < message.tc1 < MAX_BOOT_NS:
            round_trip_ns = arrival_ns - message.ts1
            if 0 <= round_trip_ns <= MAX_ROUND_TRIP_NS:
                middle_ns = message.ts1 + round_trip_ns // 2
                bound_ns = round_trip_ns // 2 + CLOCK_STEP_NS
                self._add(_Exchange(arrival_ns, middle_ns - message.tc1, bound_ns))
        return None

    def host_ns_of_ms(self, boot_ms: int, arrival_ns: int) -> int | None:
        """Host time of a time_boot_ms; see `host_ns`."""
        boot_ns = boot_ms * 1_000_000
        offset_ns = self._offset(arrival_ns)
        if offset_ns is not None:
            boot_ns += round((arrival_ns - offset_ns - boot_ns) / WRAP_NS) * WRAP_NS
        return self.host_ns(boot_ns, arrival_ns)

    def host_ns_of_past(self, boot_ns: int, arrival_ns: int) -> int | None:
        """Host time of something that may have been long before the message was sent. None
        before any message told its own time."""
        offset_ns = self._offset(arrival_ns)
        return None if offset_ns is None else min(arrival_ns, boot_ns + offset_ns)

    def host_ns(self, boot_ns: int, arrival_ns: int) -> int | None:
        """Host time of when a message was made, never after its arrival. None: it contradicts
        what is known; it is very late, or the autopilot has just rebooted."""
        offset_ns = self._offset(arrival_ns)
        if offset_ns is not None and abs(arrival_ns - boot_ns - offset_ns) > JUMP_NS:
            if self._jumped_since_ns is None:
                self._jumped_since_ns = arrival_ns
            if arrival_ns - self._jumped_since_ns < JUMPED_FOR_NS:
                return None
            self._begin()
            self.restarts += 1
        self._jumped_since_ns = None
        self._add_arrival(boot_ns, arrival_ns)
        offset_ns = self._offset(arrival_ns)
        assert offset_ns is not None
        return min(arrival_ns, boot_ns + offset_ns)

    def _offset(self, host_ns: int) -> int | None:
        if self._line is not None and self.is_synced:
            best, within_ns = self._best(self._line, host_ns)
            drifted_ns = round(self._line.drift * (host_ns - best.host_ns))
            centre_ns = best.offset_ns + drifted_ns
            line_ns = self._line.offset_at(host_ns)
            return min(max(line_ns, centre_ns - within_ns), centre_ns + within_ns)
        if not self._quickest:
            return None
        return self._quickest[0][1] - MIN_DELAY_NS

    def _best(self, line: _Line, host_ns: int) -> tuple[_Exchange, int]:
        """The exchange that bounds the offset at host_ns most narrowly, and its bound there."""

        def bound_ns(exchange: _Exchange) -> int:
            age_ns = abs(host_ns - exchange.host_ns)
            return exchange.bound_ns + round(3.0 * line.drift_sigma * age_ns)

        best = min(self._groups, key=bound_ns)
        return best, bound_ns(best)

    def _add(self, exchange: _Exchange) -> None:
        if self._line is not None:
            best, within_ns = self._best(self._line, exchange.host_ns)
            drifted_ns = round(self._line.drift * (exchange.host_ns - best.host_ns))
            apart_ns = abs(exchange.offset_ns - best.offset_ns - drifted_ns)
            if apart_ns > exchange.bound_ns + within_ns:
                self._contradictions.append(exchange)
                if len(self._contradictions) >= JUMPS_BEFORE_RESTART:
                    contradictions = self._contradictions
                    self._begin()
                    self.restarts += apart_ns > JUMP_NS
                    self.slips += apart_ns <= JUMP_NS
                    for each in contradictions:
                        self._keep(each)
                return
        self._contradictions = []
        self._keep(exchange)

    def _keep(self, exchange: _Exchange) -> None:
        groups = self._groups
        if groups and exchange.host_ns // GROUP_NS == groups[-1].host_ns // GROUP_NS:
            if exchange.bound_ns < groups[-1].bound_ns:
                groups[-1] = exchange
        else:
            groups.append(exchange)
        self._count += 1
        self._line = _fit(list(groups), exchange.host_ns)

    def _add_arrival(self, boot_ns: int, arrival_ns: int) -> None:
        """The front of the queue is the quickest of the last ARRIVALS_NS."""
        delta_ns = arrival_ns - boot_ns
        while self._quickest and self._quickest[-1][1] >= delta_ns:
            self._quickest.pop()
        self._quickest.append((arrival_ns, delta_ns))
        while arrival_ns - self._quickest[0][0] > ARRIVALS_NS:
            self._quickest.popleft()


def _fit(exchanges: list[_Exchange], at_ns: int) -> _Line:
    """The line by least squares, each exchange with its bound for a sigma, the drift held to
    what crystals do."""
    base_ns = exchanges[-1].offset_ns
    s_w = s_t = s_y = s_tt = s_ty = 0.0
    for each in exchanges:
        weight = 1.0 / each.bound_ns**2
        t, y = float(each.host_ns - at_ns), float(each.offset_ns - base_ns)
        s_w += weight
        s_t += weight * t
        s_y += weight * y
        s_tt += weight * t * t
        s_ty += weight * t * y
    spread = s_tt - s_t * s_t / s_w + DRIFT_SIGMA**-2
    drift = (s_ty - s_t * s_y / s_w) / spread
    offset_ns = base_ns + round((s_y - drift * s_t) / s_w)
    return _Line(at_ns, offset_ns, drift, 1.0 / math.sqrt(spread))
