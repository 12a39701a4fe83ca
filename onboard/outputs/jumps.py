"""Where the position goes on elsewhere than it came from: what a reset counter counts."""

from __future__ import annotations

import math

from onboard.geodesy import enu_offset_m
from onboard.messages import Estimate
from onboard.outputs.moment import accuracy_m, is_trusted

MIN_JUMP_M = 5.0  # a smaller step passes the autopilot's innovation gate
JUMP_SIGMAS = 3.0  # of the accuracy told before


class Jumps:
    """Shown every position in its order."""

    def __init__(self) -> None:
        self._before: Estimate | None = None

    def is_one(self, estimate: Estimate | None) -> bool:
        """Whether this is a trusted position that the last one didn't lead to: beyond what was
        told of its accuracy, or the first one after none was trusted."""
        before = self._before
        self._before = estimate if is_trusted(estimate) else None
        if estimate is None or self._before is None:
            return False
        if before is None:
            return True
        since_s = (estimate.time_ns - before.time_ns) * 1e-9
        east_m, north_m = enu_offset_m(
            before.lat_deg, before.lon_deg, estimate.lat_deg, estimate.lon_deg
        )
        step_m = math.hypot(
            east_m - before.velocity_east_m_s * since_s,
            north_m - before.velocity_north_m_s * since_s,
        )
        return step_m > max(MIN_JUMP_M, JUMP_SIGMAS * accuracy_m(before))
