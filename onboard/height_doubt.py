"""What frames say of the height above ground, in words for the pilot: that it is wrong, where one
after another is refused for its scale, and that it was, where matches corrected the terrain's."""

from __future__ import annotations

import math
import statistics
from collections import deque

from onboard.messages import FrameResult
from onboard.outputs.status_text import NOTICE, WARNING
from onboard.reasons import Reason

COUNT = 3  # refused for their scale without a fix between
HOLDS_NS = 60_000_000_000
WORTH_SAYING_M = 10.0  # the first sigma of a height above sea level


class HeightDoubt:
    """One flight's. said: (MAV_SEVERITY, text of at most 50 bytes), None without anything."""

    def __init__(self) -> None:
        self.said: tuple[int, str] | None = None
        self._scales: deque[tuple[int, float]] = deque(maxlen=COUNT)

    def take(self, result: FrameResult, corrected_m: float) -> None:
        """Every frame's result. corrected_m: by how much it raised the height."""
        if abs(corrected_m) >= WORTH_SAYING_M:
            self.said = NOTICE, f"Pilotage: height corrected by {corrected_m:+.0f} m, as seen"
            self._scales.clear()
        elif result.fix is not None:
            self._scales.clear()
            if self.said is not None and self.said[0] == WARNING:
                self.said = NOTICE, "Pilotage: frames fit the height again"
        elif result.refusal is not None and result.refusal.reason is Reason.SCALE_DISAGREES:
            self._refused(result)

    def _refused(self, result: FrameResult) -> None:
        if result.match is None or not math.isfinite(result.match.scale):
            return
        self._scales.append((result.time_ns, result.match.scale))
        if len(self._scales) == COUNT and result.time_ns - self._scales[0][0] <= HOLDS_NS:
            off = statistics.median(scale for _, scale in self._scales) - 1.0
            way = "low" if off > 0.0 else "high"
            # In tens: a pilot needs no other text for every frame.
            percent = max(10, 10 * round(10 * abs(off)))
            self.said = WARNING, f"Pilotage: no fix, height some {percent} % too {way}"
