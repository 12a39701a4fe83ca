"""Ground whose height is in doubt because the vehicle's place is, and what it would be elsewhere.

Over steep ground a position uncertain by tens of metres makes the height above ground wrong by
tens of per cent and blurs the slopes away (`relief`). The map's first answer says where to look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from onboard.ground.ground_below import GroundBelow, Spread
from onboard.ground.match_place import MATCHED_PLACE_SIGMA_M
from onboard.ground.relief import Relief
from onboard.messages import Prior
from onboard.telemetry_messages import Height

# One sigma of the ground below, as a share of the height above it, from which it is in doubt: a
# third of the scale that the gate forgives (`gate.SCALE_TOLERANCE`).
DOUBT_SHARE = 0.05


@dataclass(frozen=True)
class GroundThere:
    """The ground as it is at a place that a match gave: its height above mean sea level, the
    vehicle's above it, and the slopes around."""

    amsl_m: float
    height: Height
    relief: Relief


@dataclass(frozen=True)
class DoubtfulGround:
    """height: above `below`, the ground where the vehicle may be. by_terrain: it was made of that
    ground, and not measured from the vehicle down."""

    ground: GroundBelow
    height: Height
    below: Spread
    by_terrain: bool

    @property
    def share(self) -> float:
        """One sigma of the ground as a share of the height above it."""
        return self.below.sigma_m / self.height.agl_m

    def at(self, lat_deg: float, lon_deg: float) -> GroundThere | None:
        """Were the vehicle there; None where the ground is unknown."""
        place = Prior(lat_deg, lon_deg, MATCHED_PLACE_SIGMA_M)
        there = self.ground.under(place)
        if there is None:
            return None
        height = self.height
        if self.by_terrain:
            variance_m2 = max(0.0, height.sigma_m**2 - self.below.sigma_m**2) + there.sigma_m**2
            height = replace(
                height,
                agl_m=height.agl_m + self.below.mean_m - there.mean_m,
                sigma_m=math.sqrt(variance_m2),
            )
        return GroundThere(there.mean_m, height, Relief(self.ground, place))


def doubtful_ground(
    ground: GroundBelow, height: Height, prior: Prior | None, by_terrain: bool
) -> DoubtfulGround | None:
    """None while the ground is known well enough, or not at all. prior: where the vehicle may be;
    None for anywhere over the map. height, by_terrain: see `DoubtfulGround`."""
    below = ground.under(prior) if prior else ground.over_map
    if below is None or below.sigma_m < DOUBT_SHARE * height.agl_m:
        return None
    return DoubtfulGround(ground, height, below, by_terrain)
