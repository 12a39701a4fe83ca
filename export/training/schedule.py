"""Learning rates as factors of their peak, by step."""

from __future__ import annotations

import math

COSINE_FLOOR = 0.01  # of the peak, at the last step


def cosine_with_warm_up(step: int, steps: int, warm_up_steps: int) -> float:
    """Linear rise over warm_up_steps, times half a cosine from 1 down to a hundredth."""
    rise = min(1.0, (step + 1) / warm_up_steps)
    half, middle = (1 - COSINE_FLOOR) / 2, (1 + COSINE_FLOOR) / 2
    return rise * (middle + half * math.cos(math.pi * step / steps))
