"""How long calls take, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

WARM_UP_CALLS = 3


@dataclass(frozen=True)
class Timing:
    """Of one call, in seconds."""

    median_s: float
    p99_s: float
    calls: int


def time_calls(calls: Sequence[Callable[[], object]], repeats: int) -> list[Timing]:
    """Each call `repeats` times, in turns, so that a busy moment of the machine hits all."""
    for call in calls:
        for _ in range(WARM_UP_CALLS):
            call()
    taken = np.zeros((len(calls), repeats))
    for k in range(repeats):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            taken[i, k] = time.perf_counter() - start
    return [Timing(float(np.median(t)), float(np.percentile(t, 99)), repeats) for t in taken]
