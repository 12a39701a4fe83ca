"""Notices a camera that repeats its last picture: a hung driver, encoder or ribbon cable.

A sensor's noise makes every picture another one, so equal to the last bit means that it was
not taken anew. A still scene through a video encoder, or in a renderer without noise, can be
equal too: there the vehicle doesn't move. So equal pictures are refused once the vehicle has
turned or climbed since the first of them, or when they go on for very long.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onboard.camera import rotation_matrix
from onboard.messages import Attitude, Frame, Height, Refusal
from onboard.picture_quality import DARK_LEVEL
from onboard.reasons import Reason, Stage

SAMPLE_STEP_PX = 4  # every fourth pixel of every fourth row is compared: 1/16 of the picture
MIN_EQUAL = 3  # pictures in a row; a driver may hand out one twice without harm
# A degree moves the picture by 5 pixels and more with every lens that is used; what an attitude
# estimate drifts by on the ground within seconds is less.
MIN_TURN_RAD = math.radians(1.0)
MIN_CLIMB_SHARE = 0.05  # of the height: the picture's edge moves by 1/40 of its width
MIN_CLIMB_M = 2.0  # more than a barometer wanders within seconds
LONGEST_NS = 5_000_000_000  # nothing that flies holds that still


class FrozenWatch:
    """Is shown every frame in order; remembers the first of a row of equal ones."""

    def __init__(self) -> None:
        self._sample: NDArray[np.uint8] | None = None
        self._first_ns = 0
        self._attitude: Attitude | None = None
        self._height: Height | None = None
        self._equal = 0

    def check(
        self, frame: Frame, attitude: Attitude | None, height: Height | None
    ) -> Refusal | None:
        """FROZEN, or None. attitude and height are those at the exposure. A black picture is
        left to `picture_quality`: one is like another."""
        if frame.image is None or frame.image.ndim != 3:
            return None
        sample = frame.image[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX]
        if self._sample is None or not np.array_equal(sample, self._sample):
            self._sample, self._first_ns, self._equal = sample.copy(), frame.time_ns, 1
            self._attitude, self._height = attitude, height
            return None
        if int(sample.max(initial=0)) < DARK_LEVEL:
            return None
        self._equal += 1
        moved = self._moved(attitude, height)
        still_ns = frame.time_ns - self._first_ns
        if self._equal < MIN_EQUAL or not (moved or still_ns >= LONGEST_NS):
            return None
        since = moved or "nothing that flies holds that still"
        detail = f"{self._equal} equal pictures in {still_ns * 1e-9:.1f} s: {since}"
        return Refusal(frame.time_ns, Stage.INPUT, Reason.FROZEN, detail)

    def _moved(self, attitude: Attitude | None, height: Height | None) -> str:
        """How the vehicle moved since the first of the equal pictures, '' when it did not."""
        if attitude is not None and self._attitude is not None:
            turn = _turn_rad(self._attitude, attitude)
            if turn > MIN_TURN_RAD:
                return f"turned by {math.degrees(turn):.1f} deg meanwhile"
        if height is not None and self._height is not None:
            climb_m = abs(height.agl_m - self._height.agl_m)
            if climb_m > max(MIN_CLIMB_M, MIN_CLIMB_SHARE * self._height.agl_m):
                return f"climbed or sank by {climb_m:.1f} m meanwhile"
        return ""


def _turn_rad(a: Attitude, b: Attitude) -> float:
    """Angle of the rotation from one attitude to the other."""
    turn = rotation_matrix(a.roll, a.pitch, a.yaw).T @ rotation_matrix(b.roll, b.pitch, b.yaw)
    return math.acos(max(-1.0, min(1.0, (float(np.trace(turn)) - 1.0) / 2.0)))
