"""Learning rates as factors of their peak, by step."""

from __future__ import annotations

import math
from enum import Enum

COSINE_FLOOR = 0.01  # of the peak, at the last step; GeoLink's is 1/6 (6e-4 to 1e-4)
LINEAR_FLOOR = 0.2  # SALAD, reached after 4000 steps


class Schedule(str, Enum):
    """How the learning rate falls after its warm-up."""

    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


def rate_factor(
    schedule: Schedule, step: int, steps: int, warm_up_steps: int, floor: float | None = None
) -> float:
    """The share of the peak rate that step 0, 1, ... steps-1 gets.

    A linear rise over warm_up_steps (0: none) multiplies the fall, which starts at step 0 and
    reaches `floor` at `steps`, then stays: half a cosine, or a straight line. The papers start
    the cosine after the warm-up instead; for their one epoch in forty the two differ by 2.5 % of
    the peak. floor None: 0.01 for the cosine, 0.2 for the line.
    """
    rise = min(1.0, (step + 1) / warm_up_steps) if warm_up_steps else 1.0
    done = min(1.0, step / steps)
    if schedule is Schedule.CONSTANT:
        return rise
    if schedule is Schedule.LINEAR:
        low = LINEAR_FLOOR if floor is None else floor
        return rise * (1 - (1 - low) * done)
    low = COSINE_FLOOR if floor is None else floor
    return rise * ((1 + low) / 2 + (1 - low) / 2 * math.cos(math.pi * done))
