"""When a frame was exposed, from what its driver or sender says and when it came."""

from __future__ import annotations

from onboard.cameras.contract import Timing

# A driver's stamp this much before its frame's arrival is still believed: four frames at 10 Hz
# wait in a driver's queue at most.
MAX_DRIVER_AGE_NS = 500_000_000
MAX_IMPLAUSIBLE = 3  # driver stamps in a row before they are given up for the connection
# From exposure to arrival where nothing better is known: a frame's read-out and transfer at
# 30 Hz (USB, CSI), and H.264 encoding, network and decoding in a low-latency set-up. Typical;
# `pilotage calibrate flight` measures what is left, `latency_ms` in the address sets it.
TYPICAL_LATENCY_NS = {
    Timing.DRIVER: 0,
    Timing.ARRIVAL: 50_000_000,
    Timing.STREAM: 150_000_000,
    Timing.FILE: 0,
}
# The fastest arrival within one to two of these windows ties the sender's clock to ours: long
# enough to meet an undisturbed frame, short enough that 100 ppm of drift stay below 2 ms.
WINDOW_NS = 10_000_000_000


class ExposureClock:
    """For one connection. Times it gives always grow."""

    def __init__(self, timing: Timing, latency_ns: int | None = None) -> None:
        """timing: of the device's stamps. latency_ns: from exposure to arrival, if known."""
        self.timing = timing
        self._latency_ns = latency_ns
        self._implausible = 0
        self._last_ns: int | None = None
        self._last_stamp_ns: int | None = None
        self._window_start_ns = 0
        self._offsets_ns: tuple[int | None, int | None] = (None, None)  # window before, this one

    def exposure_ns(self, arrival_ns: int, stamp_ns: int | None) -> int:
        """On the monotonic clock (FILE: on the recording's own)."""
        exposure_ns = self._exposure_ns(arrival_ns, stamp_ns)
        if self._last_ns is not None:
            exposure_ns = max(exposure_ns, self._last_ns + 1)
        self._last_ns = exposure_ns
        return exposure_ns

    def _exposure_ns(self, arrival_ns: int, stamp_ns: int | None) -> int:
        if self.timing is Timing.FILE and stamp_ns is not None:
            return stamp_ns
        if self.timing is Timing.STREAM and stamp_ns is not None:
            return stamp_ns + self._offset_ns(arrival_ns, stamp_ns) - self._latency()
        if self.timing is Timing.DRIVER:
            if stamp_ns is not None and 0 <= arrival_ns - stamp_ns <= MAX_DRIVER_AGE_NS:
                self._implausible = 0
                return stamp_ns - self._latency()
            self._implausible += 1
            if self._implausible >= MAX_IMPLAUSIBLE:
                self.timing = Timing.ARRIVAL
        known = self._latency_ns
        return arrival_ns - (TYPICAL_LATENCY_NS[Timing.ARRIVAL] if known is None else known)

    def _latency(self) -> int:
        known = self._latency_ns
        return TYPICAL_LATENCY_NS[self.timing] if known is None else known

    def _offset_ns(self, arrival_ns: int, stamp_ns: int) -> int:
        """Our clock minus the sender's, with the shortest way."""
        offset_ns = arrival_ns - stamp_ns
        before, now = self._offsets_ns
        restarted = self._last_stamp_ns is not None and stamp_ns < self._last_stamp_ns
        self._last_stamp_ns = stamp_ns
        if now is None or restarted:
            self._window_start_ns, before, now = arrival_ns, None, offset_ns
        elif arrival_ns - self._window_start_ns > WINDOW_NS:
            self._window_start_ns, before, now = arrival_ns, now, offset_ns
        now = min(now, offset_ns)
        self._offsets_ns = before, now
        return now if before is None else min(before, now)
