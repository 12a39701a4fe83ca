"""Notices a camera that repeats its last picture: a hung driver, encoder or ribbon cable.

A sensor's noise makes every picture another one, so equal to the last bit means that it was
not taken anew. Its stamp is new all the same: matched again, it would hold the estimate where
the vehicle was, without any doubt, at 8 m/s 40 m behind after five seconds. So the first
repetition is refused. What stands still in a renderer without noise is refused with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onboard.messages import Frame, Refusal
from onboard.picture_quality import DARK_LEVEL
from onboard.reasons import Reason, Stage

SAMPLE_STEP_PX = 4  # every fourth pixel of every fourth row is compared: 1/16 of the picture


class FrozenWatch:
    """Is shown every frame in order; remembers the first of a row of equal ones."""

    def __init__(self) -> None:
        self._sample: NDArray[np.uint8] | None = None
        self._first_ns = 0
        self._equal = 0

    def check(self, frame: Frame) -> Refusal | None:
        """FROZEN, or None. A black picture is left to `picture_quality`: one is like another."""
        if frame.image is None or frame.image.ndim != 3:
            return None
        sample = frame.image[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX]
        if self._sample is None or not np.array_equal(sample, self._sample):
            self._sample, self._first_ns, self._equal = sample.copy(), frame.time_ns, 1
            return None
        if int(sample.max(initial=0)) < DARK_LEVEL:
            return None
        self._equal += 1
        still_s = (frame.time_ns - self._first_ns) * 1e-9
        detail = f"{self._equal} pictures in {still_s:.1f} s equal to the last bit"
        return Refusal(frame.time_ns, Stage.INPUT, Reason.FROZEN, detail)
