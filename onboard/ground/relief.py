"""How the ground rises and falls around the vehicle, for rectification over slopes.

Where the vehicle is known only to some metres, the ground is too: each height is the mean over
the places where the vehicle may be. So slopes fade out as the position gets uncertain, down to
the plane. Ground behind a ridge is not told from the ridge that hides it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onboard.ground.ground_below import FIVE_WEIGHTS, GroundBelow
from onboard.messages import Floats, Prior

NEAREST_SHARE, FARTHEST_SHARE = 0.2, 3.0  # of the height, where a ray is looked for
COARSE_STEPS, FINE_STEPS = 41, 9


@dataclass(frozen=True)
class Rise:
    """Heights above the ground below the vehicle, metres, NaN where unknown, and their one
    sigma from the uncertain position alone."""

    mean_m: Floats
    sigma_m: Floats


@dataclass(frozen=True)
class _Crossing:
    """Two depths in a row between which a ray goes below the ground, and, on straight ground,
    where."""

    above_m: float
    below_m: float
    depth_m: float


class Relief:
    """Around one place; offsets are metres east and north of it."""

    def __init__(self, ground: GroundBelow, prior: Prior) -> None:
        """prior: where the vehicle may be."""
        self.sigma_m = ground.sigma_m
        self._ground, self._prior = ground, prior
        zero = np.zeros(())
        self._below = ground.around_m(prior, zero, zero)

    def rise(self, east_m: Floats, north_m: Floats) -> Rise:
        """Of points of any shape."""
        heights = self._ground.around_m(self._prior, east_m, north_m)
        rises = heights - self._below.reshape(5, *(1,) * np.ndim(east_m))
        mean = np.tensordot(FIVE_WEIGHTS, rises, 1)
        variance = np.tensordot(FIVE_WEIGHTS, (rises - mean) ** 2, 1)
        return Rise(mean, np.sqrt(variance))

    def meets(self, agl_m: float, east: float, north: float) -> tuple[float, float] | None:
        """How many metres below the vehicle a ray first meets the ground that goes east, north
        metres sideways per metre of descent, and that depth's one sigma; None where the ground
        is unknown or out of reach."""
        shares = np.geomspace(NEAREST_SHARE, FARTHEST_SHARE, COARSE_STEPS)
        crossing = self._crossing(agl_m, agl_m * shares, east, north)
        if crossing is not None:
            fine = np.linspace(crossing.above_m, crossing.below_m, FINE_STEPS)
            crossing = self._crossing(agl_m, fine, east, north)
        if crossing is None:
            return None
        depth_m = crossing.depth_m
        there = self.rise(np.array(depth_m * east), np.array(depth_m * north))
        return depth_m, float(there.sigma_m)

    def _crossing(
        self, agl_m: float, depths_m: Floats, east: float, north: float
    ) -> _Crossing | None:
        under = depths_m - (agl_m - self.rise(depths_m * east, depths_m * north).mean_m)
        i = int(np.argmax(under >= 0.0))  # 0 where it never does
        if i == 0 or not np.isfinite(under[i - 1]):
            return None
        above_m, below_m = float(depths_m[i - 1]), float(depths_m[i])
        share = float(under[i - 1] / (under[i - 1] - under[i]))
        return _Crossing(above_m, below_m, above_m + share * (below_m - above_m))
