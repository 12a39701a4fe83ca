"""Keeps one event with a wrong time from muting all others.

Whatever lies far ahead of everything heard so far is held back until something else of that
time, or later, comes: then the clock went on (a log has holes). An event of the usual time
drops it. Late events are everyone's own business.
"""

from __future__ import annotations

from onboard.messages import Event

MAX_AHEAD_NS = 5_000_000_000  # live telemetry comes every 0.02-1 s
AHEAD_GAPS = 4  # times the usual gap of a log that has little to say


class EventTimes:
    """Handed all events in the order in which they came."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._gap_ns = 0.0
        self._doubted_ns: int | None = None
        self._held: Event | None = None

    def admit(self, event: Event) -> tuple[Event, ...]:
        """What is to be taken in now: the event, after one held back that it confirms, or
        nothing when it is held back itself."""
        held = self._held
        if not self._counts(event.time_ns):
            self._held = event
            return ()
        self._held = None
        if held is not None and not self._ahead(held.time_ns, event.time_ns):
            return held, event
        return (event,)

    def admit_frame(self, time_ns: int) -> float | None:
        """None for a frame that may come in, otherwise by how many seconds it is ahead of all
        else. A frame is never held back, its answer is due at once."""
        newest_ns = self._newest_ns
        if self._counts(time_ns) or newest_ns is None:
            return None
        return (time_ns - newest_ns) * 1e-9

    def _counts(self, time_ns: int) -> bool:
        newest_ns, doubted_ns = self._newest_ns, self._doubted_ns
        far = newest_ns is not None and self._ahead(time_ns, newest_ns)
        if far and (doubted_ns is None or self._ahead(doubted_ns, time_ns)):
            self._doubted_ns = time_ns
            return False
        self._doubted_ns = None
        if newest_ns is not None and time_ns > newest_ns:
            self._gap_ns += 0.1 * (time_ns - newest_ns - self._gap_ns)
        self._newest_ns = max(time_ns, newest_ns or time_ns)
        return True

    def _ahead(self, time_ns: int, of_ns: int) -> bool:
        return time_ns - of_ns > max(MAX_AHEAD_NS, AHEAD_GAPS * self._gap_ns)
